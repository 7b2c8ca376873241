"""A corpus of hostile files, made by code: each is read or refused in one sentence."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from medattn.data import read_image

FORMS = {
    "png": ("PNG", {}),
    "palette": ("PNG", {"transparency": 3}),
    "jpeg": ("JPEG", {"quality": 80}),
    "progressive": ("JPEG", {"progressive": True}),
    "gif": ("GIF", {}),
    "tiff": ("TIFF", {}),
    "packed tiff": ("TIFF", {"compression": "tiff_deflate"}),
    "webp": ("WEBP", {}),
    "bmp": ("BMP", {}),
    "ppm": ("PPM", {}),
    "deep": ("PNG", {}),
}


def sample(form):
    """A small file of a form, below 20 kB."""
    small = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)
    image = Image.fromarray(small).resize((48, 36), Image.Resampling.BICUBIC)
    if form == "palette":
        image = image.quantize(16)
    if form == "deep":
        image = Image.fromarray(np.arange(48 * 36, dtype=np.uint16).reshape(36, 48))
    kind, options = FORMS[form]
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def dicom_sample():
    pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("made.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    file.Rows, file.Columns, file.SamplesPerPixel = 12, 16, 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 12, 11
    file.PixelRepresentation = 0
    file.WindowCenter, file.WindowWidth = 2000, 3000
    file.PixelData = np.arange(192, dtype=np.uint16).tobytes()
    stream = io.BytesIO()
    file.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def changed(content, seed):
    """Flips, cuts, doubles or swaps bytes of a file; most changes meet its head."""
    rng = random.Random(seed)
    made = bytearray(content)
    head = min(len(made), 200)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(head if rng.random() < 0.7 else len(made))
        kind = rng.randrange(6)
        if kind == 0:
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            made[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            made[at : at + 4] = b"\xff\xff\xff\xff"
        elif kind == 3:
            made[at : at + 2] = struct.pack(">H", rng.randrange(1 << 16))
        elif kind == 4:
            del made[at : at + rng.randrange(1, 40)]
        else:
            made[at:at] = made[max(0, at - 30) : at]
        head = min(head, max(1, len(made)))
        if not made:
            break
    return bytes(made)


def outcome(content):
    """Reads a file as a visitor's; returns whether it was read."""
    try:
        image = read_image(content)
    except ValueError as error:
        text = str(error)
        assert text.startswith("The file ") and "\n" not in text and len(text) < 400
        return False
    assert image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.float32
    assert np.isfinite(image).all() and 0 <= image.min() and image.max() <= 1
    return True


@pytest.mark.filterwarnings("ignore")  # decoders warn of what is wrong with a file
@pytest.mark.parametrize(
    "count", [6, pytest.param(90, marks=pytest.mark.slow)], ids=["few", "many"]
)
@pytest.mark.parametrize("form", [*FORMS, "dicom"])
def test_a_changed_file_is_read_or_refused_in_a_sentence(form, count):
    content = dicom_sample() if form == "dicom" else sample(form)
    assert len(content) < 20_000 and outcome(content)
    found = [outcome(changed(content, seed)) for seed in range(count)]
    assert not all(found)


def chunk(kind, body):
    check = zlib.crc32(kind + body).to_bytes(4, "big")
    return len(body).to_bytes(4, "big") + kind + body + check


def png(width, height, depth, colour, *, data=b"", more=b""):
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + more
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


LIES = {
    "no pixels": lambda: png(0, 0, 8, 2),
    "an endless side": lambda: png(2**31 - 1, 1, 8, 2),
    "more than 32 bits": lambda: png(2**32 - 1, 2**32 - 1, 16, 6),
    "an unknown colour": lambda: png(9, 9, 8, 5),
    "an odd depth": lambda: png(9, 9, 3, 0),
    "too few rows": lambda: png(90, 90, 8, 2, data=bytes(100)),
    "too many rows": lambda: png(9, 9, 8, 0, data=bytes(10**6)),
    "a palette of none": lambda: png(9, 9, 8, 3, data=bytes(90)),
    "a text of 100 MB": lambda: png(
        9,
        9,
        8,
        0,
        data=bytes(90),
        more=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8))),
    ),
    "a profile of 100 MB": lambda: png(
        9,
        9,
        8,
        0,
        data=bytes(90),
        more=chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8))),
    ),
    "frames that it lacks": lambda: png(
        9, 9, 8, 0, data=bytes(90), more=chunk(b"acTL", struct.pack(">II", 10**6, 0))
    ),
    "a GIF of 65,535": lambda: b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(9),
    "a BMP below zero": lambda: (
        b"BM" + bytes(12) + struct.pack("<IiiHH", 40, -9, -9, 1, 24) + bytes(24)
    ),
    "a PPM of words": lambda: b"P6 9999999999 9999999999 255 ",
    "a TIFF that points at itself": lambda: b"II*\0\x08\0\0\0" + b"\0\0\x08\0\0\0" * 9,
    "a WebP of nothing": lambda: b"RIFF\x0c\0\0\0WEBPVP8X" + bytes(40),
    "a DICOM of nothing": lambda: bytes(128) + b"DICM",
    "a DICOM of zeros": lambda: bytes(128) + b"DICM" + bytes(400),
    "an archive": lambda: b"PK\x03\x04" + bytes(100),
    "a program": lambda: b"\x7fELF" + bytes(100),
    "a PostScript program": lambda: (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    ),
    "a script": lambda: b"<svg><script>alert(1)</script></svg>",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused_in_a_sentence_or_harmless(lie):
    content = LIES[lie]()
    assert len(content) < 200_000
    outcome(content)
