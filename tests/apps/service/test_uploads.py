"""What a visitor sends is read, stripped and deleted; unlike images are named so."""

import gc
import io
import weakref

import numpy as np
import pytest
import skimage.data
from PIL import Image

from medattn_app.domain.cases import baselines, synthetic_cases
from medattn_app.domain.texts import Words
from medattn_app.service import uploads
from medattn_app.service.distance import domain_note, measure_distance
from medattn_app.service.uploads import read_upload
from medattn_app.tabs.explore.view import case_view, thumbnails


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder like the one that Gradio brings files to."""
    inside = tmp_path / "gradio" / "abc"
    inside.mkdir(parents=True)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return inside


def grey_of_16_bits():
    ramp = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 3 + 100
    stream = io.BytesIO()
    Image.fromarray(ramp).save(stream, "PNG")
    return stream.getvalue()


def encoded(kind):
    stream = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).save(stream, kind)
    return stream.getvalue()


def dicom():
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    file = FileDataset("x", {}, file_meta=meta, preamble=b"\0" * 128)
    file.PatientName = "Nobody^Known"
    file.Rows = file.Columns = 32
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated = file.BitsStored = 16
    file.HighBit, file.PixelRepresentation = 15, 0
    file.PixelData = np.arange(1024, dtype=np.uint16).tobytes()
    stream = io.BytesIO()
    file.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.png", lambda: encoded("PNG")),
        ("a.jpg", lambda: encoded("JPEG")),
        ("a.tiff", lambda: encoded("TIFF")),
        ("grey.png", grey_of_16_bits),
        ("scan.dcm", dicom),
        ("named_wrongly.txt", lambda: encoded("PNG")),
    ],
)
def test_every_kind_of_file_is_read_and_deleted_at_once(folder, name, make):
    (folder / name).write_bytes(make())
    case = read_upload(folder / name)
    assert case.pixels.shape == (64, 64, 3) and 0.1 < case.pixels.std() < 0.5
    assert case.label is None and case.evidence is None
    assert not folder.exists()


def test_sixteen_bits_are_kept(folder):
    (folder / "grey.png").write_bytes(grey_of_16_bits())
    image = uploads.read_and_delete(folder / "grey.png")
    assert len(np.unique(image)) == 64 * 64


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\nbroken", b"PK"])
def test_a_file_that_is_no_image_is_deleted_too(folder, content):
    (folder / "x.png").write_bytes(content)
    with pytest.raises(ValueError, match="Expected|broken"):
        uploads.read_and_delete(folder / "x.png")
    assert not folder.exists()


def test_nothing_outside_the_folder_is_ever_deleted(folder, tmp_path):
    kept = tmp_path / "kept.png"
    kept.write_bytes(encoded("PNG"))
    uploads.read_and_delete(kept)
    (folder / "link.png").symlink_to(kept)
    uploads.read_and_delete(folder / "link.png")
    assert kept.exists()


def test_a_sentence_about_a_file_carries_no_markup_and_no_path(folder):
    name = "<img src=x onerror=alert(1)>" + 90 * "é" + ".png"
    (folder / name).write_bytes(b"nonsense")
    with pytest.raises(ValueError) as error:
        uploads.read_and_delete(folder / name)
    said = str(error.value)
    assert "<" not in said and str(folder) not in said and len(said) < 200
    assert "\n" not in said and "is not an image" in said


@pytest.mark.parametrize("path", [None, "", 7, ["a"]])
def test_no_file_is_answered(path):
    with pytest.raises(ValueError, match="No file came"):
        uploads.read_and_delete(path)


def test_a_photograph_is_outside_of_what_was_seen_and_a_synthetic_image_is_not(folder):
    (folder / "cat.png").write_bytes(encoded("PNG"))
    case = read_upload(folder / "cat.png")
    outside, sentence = domain_note(case, "fundus", Words())
    found = measure_distance(case, "fundus")
    assert outside and "looks like nothing the network has seen" in sentence
    assert f"{found.distance:.1f}" in sentence and f"{found.limit:.1f}" in sentence
    outside, sentence = domain_note(synthetic_cases("fundus")[0], "fundus", Words("pt"))
    assert not outside and "limite" in sentence
    assert domain_note(case, "unknown", Words()) == (
        False,
        Words()("uploaded.unknown"),
    )


def test_no_cache_holds_an_image_longer_than_its_visitor(folder):
    (folder / "cat.png").write_bytes(encoded("PNG"))
    case = read_upload(folder / "cat.png")
    words = Words()
    assert domain_note(case, "fundus", words) == domain_note(case, "fundus", words)
    case_view(case, words), thumbnails([case], words), baselines(case)
    reference = weakref.ref(case)
    del case
    gc.collect()
    assert reference() is None
