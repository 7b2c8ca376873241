"""DICOM bombs: what a file would unpack to is measured before it is unpacked."""

import io
import zlib
from typing import Any

from medattn.data.limits import MAXIMUM_BYTES

CHUNK = 1 << 20  # bytes that are inflated at once
SAMPLES = (1, 3, 4)  # of a pixel
MAXIMUM_BITS = 64  # of a sample
MAXIMUM_SEGMENTS = 15  # of a frame in RLE
FRAME_HEADERS = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), 0xF7)
J2K_START = b"\xff\x4f\xff\x51"  # of a codestream


def check_inflated(content: bytes, name: str) -> None:
    """Refuses a deflated file that inflates to more than a file may hold.

    Args:
        content: The file's bytes.
        name: The name that errors give it.

    Raises:
        ValueError: In one plain sentence.
    """
    from pydicom.filereader import _read_file_meta_info, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    stream = io.BytesIO(content)
    try:
        read_preamble(stream, force=False)
        # pydicom's own reading of the header: another one could be led astray.
        syntax = _read_file_meta_info(stream).get("TransferSyntaxUID")
    except Exception as error:  # a broken file raises errors of many kinds
        raise ValueError(f"{name} has a broken header ({_short(error)}).") from error
    if syntax != DeflatedExplicitVRLittleEndian:
        return
    inflater, inflated = zlib.decompressobj(-zlib.MAX_WBITS), 0
    packed = stream.read()
    try:
        while packed and not inflater.eof:
            inflated += len(inflater.decompress(packed, CHUNK))
            packed = inflater.unconsumed_tail
            if inflated > MAXIMUM_BYTES:
                raise ValueError(
                    f"{name} is too large. Expected at most {MAXIMUM_BYTES:,} bytes "
                    "when it is inflated."
                )
    except zlib.error as error:
        raise ValueError(f"{name} is damaged ({_short(error)}).") from error


def check_frame(file: Any, name: str) -> None:
    """Refuses an image that unpacks to another size than the file's header says.

    Args:
        file: A `pydicom.Dataset` with pixels.
        name: The name that errors give it.

    Raises:
        ValueError: In one plain sentence.
    """
    rows, columns = int(file.Rows), int(file.Columns)
    try:
        samples = int(file.get("SamplesPerPixel", 1) or 1)
        bits = int(file.get("BitsAllocated", 8) or 8)
        signed = bool(int(file.get("PixelRepresentation", 0) or 0))
        syntax = file.file_meta.TransferSyntaxUID
        packed = syntax.is_compressed and not syntax.is_deflated
    except Exception as error:
        raise ValueError(f"{name} has a broken header ({_short(error)}).") from error
    if samples not in SAMPLES or not 1 <= bits <= MAXIMUM_BITS:
        raise ValueError(
            f"{name} has pixels that are not known here. Expected one of {SAMPLES} "
            f"samples of up to {MAXIMUM_BITS} bits. Received: {samples} of {bits}"
        )
    if signed and samples > 1:
        raise ValueError(
            f"{name} has colours below zero, which DICOM does not know. Expected "
            "PixelRepresentation 0."
        )
    if not packed:
        return  # pydicom compares the number of bytes
    frame = _first_frame(file, name)
    if "RLE" in syntax.name:
        _check_segments(frame, rows * columns, samples * -(-bits // 8), name)
        return
    found = _size_of_frame(frame)
    if found is None:
        raise ValueError(f"{name} is packed in a way that is not known here.")
    if found != (columns, rows):
        raise ValueError(
            f"{name} says two sizes. Expected one. Received: {columns} x {rows} in the "
            f"header, {found[0]} x {found[1]} in the frame"
        )


def _first_frame(file: Any, name: str) -> bytes:
    from pydicom.encaps import generate_frames

    try:
        return next(generate_frames(file.PixelData, number_of_frames=1))
    except Exception as error:
        reason = _short(error)
        raise ValueError(
            f"{name} is damaged: its pixels cannot be decoded ({reason})."
        ) from error


def _check_segments(frame: bytes, pixels: int, segments: int, name: str) -> None:
    """Counts what each segment of a frame in RLE unpacks to."""
    header = [
        int.from_bytes(frame[start : start + 4], "little") for start in range(0, 64, 4)
    ]
    count, starts = header[0], header[1:]
    if len(frame) < 64 or count != segments or count > MAXIMUM_SEGMENTS:
        raise ValueError(
            f"{name} is damaged: its pixels cannot be decoded. Expected {segments} "
            f"segments. Received: {count}"
        )
    for start, end in zip(starts[:count], [*starts[1:count], len(frame)], strict=True):
        if _unpacked(frame[start:end], pixels + 1) > pixels + 1:  # one may be padding
            raise ValueError(
                f"{name} unpacks to more than its header says. Expected {pixels:,} "
                "pixels."
            )


def _unpacked(segment: bytes, maximum: int) -> int:
    """Counts the bytes that a segment in RLE unpacks to, as far as a maximum.

    Reference:
        DICOM PS3.5, [G.3.2](https://dicom.nema.org/medical/dicom/current/output/chtml/part05/sect_G.3.2.html).
    """
    position, count = 0, 0
    while position < len(segment) and count <= maximum:
        control = segment[position]
        if control < 128:
            count, position = count + control + 1, position + control + 2
        elif control > 128:
            count, position = count + 257 - control, position + 2
        else:
            position += 1
    return count


def _size_of_frame(frame: bytes) -> tuple[int, int] | None:
    """Reads width and height from the header of a JPEG, JPEG-LS or JPEG 2000 frame."""
    if frame[:4] == J2K_START:
        return _size_of_codestream(frame[8:24])
    if frame[:2] != b"\xff\xd8":
        return None
    position = 2
    while position + 9 <= len(frame) and frame[position] == 0xFF:
        marker = frame[position + 1]
        if marker == 0xFF:  # fill bytes
            position += 1
        elif marker in FRAME_HEADERS:
            height, width = frame[position + 5 : position + 7], frame[position + 7 :]
            return int.from_bytes(width[:2], "big"), int.from_bytes(height, "big")
        else:
            length = int.from_bytes(frame[position + 2 : position + 4], "big")
            position += 2 + length
    return None


def _size_of_codestream(words: bytes) -> tuple[int, int] | None:
    """Reads Xsiz, Ysiz, XOsiz and YOsiz of a JPEG 2000 codestream."""
    if len(words) < 16:
        return None
    right, bottom, left, top = (
        int.from_bytes(words[start : start + 4], "big") for start in range(0, 16, 4)
    )
    return right - left, bottom - top


def _short(error: Exception) -> str:
    """Writes another library's error in a few words."""
    return " ".join(str(error).split())[:80] or type(error).__name__
