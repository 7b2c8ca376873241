"""DICOM files: windows computed by hand, and files that are refused."""

import io
import sys

import numpy as np
import pytest

from medattn.data import read_image

pydicom = pytest.importorskip("pydicom")


def dicom_bytes(pixels, **tags):
    """Writes a DICOM file as a scanner would, uncompressed."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("made.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    file.Rows, file.Columns = pixels.shape[:2]
    bits = 8 * pixels.itemsize
    file.BitsAllocated = file.BitsStored = bits
    file.HighBit = bits - 1
    file.PixelRepresentation = int(pixels.dtype.kind == "i")
    file.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    file.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        file.PlanarConfiguration = 0
    file.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(file, name, value)
    stream = io.BytesIO()
    file.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


HOUNSFIELD = np.array([[-1000, -160, 40, 240, 3000]], np.int16)


def test_a_window_maps_its_ends_to_black_and_white(tmp_path):
    """Centre 40, width 401: from -160 to 240, as C.11.2.1.2.1 says, in a file."""
    path = tmp_path / "scan.dcm"
    path.write_bytes(dicom_bytes(HOUNSFIELD, WindowCenter=40.5, WindowWidth=401))
    image = read_image(path)
    assert image.shape == (1, 5, 3) and image.dtype == np.float32
    np.testing.assert_allclose(image[0, :, 0], [0, 0, 0.5, 1, 1], atol=1e-6)
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_the_window_applies_to_rescaled_values_not_to_stored_ones():
    stored = (HOUNSFIELD.astype(np.int32) + 1024).astype(np.uint16)
    tags = dict(RescaleSlope=1, RescaleIntercept=-1024)
    tags |= dict(WindowCenter=[40.5, 600], WindowWidth=[401, 2800])  # the first counts
    image = read_image(dicom_bytes(stored, **tags))
    np.testing.assert_allclose(image[0, :, 0], [0, 0, 0.5, 1, 1], atol=1e-6)


def test_other_shapes_of_window_and_inverted_greys():
    window = dict(WindowCenter=40, WindowWidth=400)
    exact = read_image(dicom_bytes(HOUNSFIELD, VOILUTFunction="LINEAR_EXACT", **window))
    np.testing.assert_allclose(exact[0, :, 0], [0, 0, 0.5, 1, 1], atol=1e-6)
    sigmoid = read_image(dicom_bytes(HOUNSFIELD, VOILUTFunction="SIGMOID", **window))
    ends = 1 / (1 + np.exp([2.0, 0.0, -2.0]))
    np.testing.assert_allclose(sigmoid[0, 1:4, 0], ends, rtol=1e-5)
    film = dict(PhotometricInterpretation="MONOCHROME1", **window)
    inverted = read_image(dicom_bytes(HOUNSFIELD, **film))
    plain = read_image(dicom_bytes(HOUNSFIELD, **window))
    np.testing.assert_allclose(inverted, 1 - plain, atol=1e-6)


def test_without_a_window_greys_are_stretched_and_colours_stay():
    image = read_image(dicom_bytes(np.array([[100, 300, 1100]], np.uint16)))
    np.testing.assert_allclose(image[0, :, 0], [0, 0.2, 1], atol=1e-6)
    flat = read_image(dicom_bytes(np.full((2, 2), 7, np.uint16)))
    assert (flat == 0).all()
    colours = np.array([[[0, 51, 255]]], np.uint8)
    np.testing.assert_allclose(read_image(dicom_bytes(colours))[0, 0], [0, 0.2, 1])


def test_files_without_one_readable_image_raise_one_sentence(monkeypatch):
    fine = dicom_bytes(np.zeros((4, 4), np.uint8))
    large = dicom_bytes(np.zeros((4, 4), np.uint8), Rows=60000, Columns=60000)
    frames = dicom_bytes(np.zeros((4, 4), np.uint8), NumberOfFrames=3)
    squeezed = dicom_bytes(np.zeros((4, 4), np.uint8)[:2], Rows=4)
    for content, said in (
        (large, "too large"),
        (frames, "one still image"),
        (squeezed, "cannot be decoded"),
        (fine[:132], "holds no image"),
        (fine[:150], "broken header|holds no image"),
    ):
        with pytest.raises(ValueError, match=said) as refused:
            read_image(content)
        assert "\n" not in str(refused.value)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ValueError, match="uv sync --extra dicom"):
        read_image(fine)
