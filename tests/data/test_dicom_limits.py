"""DICOM bombs are refused before they unpack, each in one sentence."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from medattn.data import read_image

pydicom = pytest.importorskip("pydicom")


def dicom(syntax, pixel_data, *, shape=(16, 16), samples=1, signed=0, raw=None):
    """Writes a DICOM file whose header says `shape`, whatever its pixels unpack to."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import SecondaryCaptureImageStorage

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = syntax
    file = FileDataset("made.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    file.Rows, file.Columns = shape
    file.BitsAllocated = file.BitsStored = 8
    file.HighBit, file.PixelRepresentation = 7, signed
    file.SamplesPerPixel = samples
    file.PhotometricInterpretation = "MONOCHROME2" if samples == 1 else "RGB"
    if samples > 1:
        file.PlanarConfiguration = 0
    if raw is None and syntax.is_encapsulated:
        pixel_data = encapsulate([pixel_data])
    file.PixelData = pixel_data
    file["PixelData"].VR = "OB"
    stream = io.BytesIO()
    file.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def rle(*segments):
    starts = np.cumsum([64, *map(len, segments)])[:-1]
    header = [len(segments), *starts, *[0] * (15 - len(segments))]
    return struct.pack("<16I", *header) + b"".join(segments)


def packed(form, size, **options):
    stream = io.BytesIO()
    Image.new("L", size).save(stream, form, **options)
    return stream.getvalue()


def uid(name):
    return getattr(pydicom.uid, name)


def deflated(megabytes):
    """A deflated file that inflates to so many MB, written without holding them."""
    content = dicom(uid("DeflatedExplicitVRLittleEndian"), bytes(256))
    start = content.index(b"1.2.840.10008.1.2.1.99") + 22
    start += content[start:].startswith(b"\0")
    while True:  # the elements of group 2 that follow
        group, _, kind = struct.unpack("<HH2s", content[start : start + 6])
        if group != 2:
            break
        long = kind in (b"OB", b"UN")
        size = struct.unpack_from("<I" if long else "<H", content, start + 6 + 2 * long)
        start += size[0] + (12 if long else 8)
    inner = zlib.decompress(content[start:], -15)
    packer = zlib.compressobj(wbits=-15)
    bomb = packer.compress(inner + struct.pack("<HH2sHI", 0x7FE1, 1, b"OB", 0, 2**31))
    for _ in range(megabytes):
        bomb += packer.compress(bytes(2**20))
    return content[:start] + bomb + packer.flush()


def refused(content):
    with pytest.raises(ValueError) as error:
        read_image(content)
    text = str(error.value)
    assert text.startswith("The file ") and "\n" not in text and len(text) < 250
    return text


def test_files_that_say_what_they_hold_are_read():
    ramp = bytes(range(256))
    plain = read_image(dicom(uid("DeflatedExplicitVRLittleEndian"), ramp))
    runs = b"".join(bytes([0, value]) for value in ramp)
    by_runs = read_image(dicom(uid("RLELossless"), rle(runs)))
    np.testing.assert_array_equal(plain, by_runs)
    assert plain.max() == 1 and plain.min() == 0
    for name, form in (("JPEGBaseline8Bit", "JPEG"), ("JPEG2000Lossless", "JPEG2000")):
        options = {} if form == "JPEG" else {"no_jp2": True}
        frame = packed(form, (16, 16), **options)
        assert read_image(dicom(uid(name), frame)).shape == (16, 16, 3)


def test_a_deflated_bomb_is_refused_before_it_is_inflated():
    bomb = deflated(150)
    assert len(bomb) < 400_000
    began = time.process_time()
    assert "when it is inflated" in refused(bomb)
    assert time.process_time() - began < 5


def test_runs_that_unpack_to_more_than_the_header_says_are_refused():
    bomb = rle(b"\x81\x00" * 1_000_000)  # 2 MB that unpack to 128 MB
    began = time.process_time()
    said = refused(dicom(uid("RLELossless"), bomb))
    assert "unpacks to more than its header says" in said
    assert time.process_time() - began < 5
    said = refused(dicom(uid("RLELossless"), rle(*[b"\x81\0"] * 15)))
    assert "Expected 1 segments" in said


@pytest.mark.parametrize(
    ("name", "form", "options"),
    [
        ("JPEGBaseline8Bit", "JPEG", {}),
        ("JPEG2000Lossless", "JPEG2000", {"no_jp2": True}),
    ],
)
def test_a_frame_larger_than_the_header_says_is_refused(
    monkeypatch, name, form, options
):
    def decoded(*_, **__):
        raise AssertionError("the pixels were decoded")

    monkeypatch.setattr("pydicom.pixels.pixel_array", decoded)
    frame = packed(form, (1500, 900), **options)
    said = refused(dicom(uid(name), frame))
    assert "16 x 16 in the header, 1500 x 900 in the frame" in said
    assert "not known here" in refused(dicom(uid(name), b"nonsense" * 9))


def test_colours_below_zero_and_pixels_of_many_samples_are_refused():
    syntax = uid("ExplicitVRLittleEndian")
    content = dicom(syntax, bytes(range(48)) * 16, samples=3, signed=1)
    assert "below zero" in refused(content)
    assert "samples" in refused(dicom(syntax, bytes(256), samples=200))
