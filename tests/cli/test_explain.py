"""The verb explain: several images and methods, classes, references, arrays."""

import sys

import numpy as np
import pytest
from PIL import Image

from medattn.cli import explain as cli_explain
from medattn.cli import main
from medattn.cli.images import find_images


def run(monkeypatch, capsys, *arguments):
    """Runs the command here; returns exit code, output, errors."""
    monkeypatch.setattr(sys, "argv", ["medattn", "explain", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_several_methods_and_images_share_a_figure_and_are_saved(
    monkeypatch, capsys, tmp_path, trained
):
    """The arrays equal the analyzers' output, the sums the audits."""
    from medattn.explain import create_analyzer

    code, out, err = run(
        monkeypatch,
        capsys,
        *("fundus:17", "fundus:3", "-o", tmp_path / "m.png"),
        *("--model", "micro_resnet", "--target", "healthy"),
        *("--method", "lrp.epsilon,deep_lift.rescale", "--method", "gradient"),
        *("--reference", "mean", "--save-array", tmp_path / "found.npz"),
    )
    assert code == 0, err
    assert out.count("P(healthy)") == 2 and "fundus:3: P(healthy)" in out
    assert out.count("lrp.epsilon: pixels") == 2
    assert out.count(" reference ") == 2 and "gradient: pixels" not in out
    with np.load(tmp_path / "found.npz", allow_pickle=False) as found:
        assert found["methods"].tolist() == [
            "lrp.epsilon",
            "deep_lift.rescale",
            "gradient",
        ]
        assert found["names"].tolist() == ["fundus:17", "fundus:3"]
        assert found["relevance"].shape == (2, 3, 64, 64, 3)
        analyzer = create_analyzer(
            "deep_lift.rescale",
            trained("micro_resnet"),
            neuron_selection_mode="index",
            reference="mean",
        )
        expected = analyzer.analyze(found["images"], 0)
        np.testing.assert_allclose(
            found["relevance"][:, 1], expected, atol=1e-5 * np.abs(expected).max()
        )
        audits = {
            key: found[f"audit.lrp.epsilon.{key}"] for key in ("logit", "absorbed")
        }
        np.testing.assert_allclose(
            found["relevance"][:, 0].sum((1, 2, 3)) + audits["absorbed"],
            audits["logit"],
            atol=1e-3,
        )
    picture = np.asarray(Image.open(tmp_path / "m.png").convert("RGB"))
    height, width, _ = picture.shape
    assert width > 4 * 320 and height > 2 * 320
    assert {p.name for p in tmp_path.iterdir()} == {"m.png", "found.npz"}


def test_a_folder_of_images_gives_a_folder_of_pictures(monkeypatch, capsys, tmp_path):
    """One has 16 bits; a bad one is reported at the end, after the others."""
    folder = tmp_path / "eyes"
    folder.mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(
        folder / "a.png"
    )
    grey = rng.integers(0, 65535, (30, 30), dtype=np.uint16)
    Image.fromarray(grey).save(folder / "b.tif")
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "notes.txt").write_text("left alone")
    code, out, err = run(
        monkeypatch, capsys, folder, "-o", tmp_path / "maps", "--model", "micro_resnet"
    )
    assert code == 2 and err.count("\n") == 1
    assert "1 of 3 images could not be explained: broken.png is not an image" in err
    assert {p.name for p in (tmp_path / "maps").iterdir()} == {"a.png", "b.png"}
    assert out.count("P(diseased)") == 2


def test_16_bit_greys_and_windowed_dicom_are_explained(monkeypatch, capsys, tmp_path):
    """pydicom's own scan, window 40 +- 200: (HU - 39.5) / 399 + 1 / 2, cut to [0, 1].

    DICOM PS3.3, C.11.2.1.2.1.
    """
    pydicom = pytest.importorskip("pydicom")
    from medattn.data import fit_image

    scan = pydicom.dcmread(pydicom.examples.get_path("ct"))
    assert scan.BitsAllocated == 16
    scan.WindowCenter, scan.WindowWidth = 40, 400
    scan.save_as(tmp_path / "scan.dcm")
    stored = scan.pixel_array.astype(np.float32)
    units = stored * float(scan.RescaleSlope) + float(scan.RescaleIntercept)
    window = np.clip((units - 39.5) / 399 + 0.5, 0, 1)
    assert 0.1 < window.std()
    grey = np.random.default_rng(0).integers(0, 65535, (64, 64), dtype=np.uint16)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    code, out, err = run(
        monkeypatch,
        capsys,
        *(tmp_path / "scan.dcm", tmp_path / "grey.png", "--model", "micro_resnet"),
        *("-o", tmp_path / "m.png", "--save-array", tmp_path / "found.npz"),
    )
    assert code == 0, err
    with np.load(tmp_path / "found.npz") as found:
        scan_seen, grey_seen = found["images"]
    expected = fit_image(np.repeat(window[..., None], 3, -1), 64)
    np.testing.assert_allclose(scan_seen, expected, atol=5e-3)
    np.testing.assert_allclose(grey_seen[..., 0], grey / 65535, atol=5e-3)


def test_several_images_show_a_progress_bar(monkeypatch, capsys):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # as if stderr were a terminal
    assert list(cli_explain._with_progress(["a", "b"])) == ["a", "b"]
    printed = capsys.readouterr()
    assert printed.out == "" and "explaining" in printed.err and "100%" in printed.err
    assert cli_explain._with_progress(["a"]) == ["a"]  # one needs no bar
    assert capsys.readouterr().err == ""


def test_files_folders_and_patterns_are_found(tmp_path):
    for name in ("b.png", "a.PNG", "c.dcm", "d.txt"):
        (tmp_path / name).touch()
    found = find_images((str(tmp_path), "fundus:3"))
    assert [name.rpartition("/")[2] for name in found] == [
        *("a.PNG", "b.png", "c.dcm"),
        "fundus:3",
    ]
    assert len(find_images((str(tmp_path / "*.png"),))) == 1
    with pytest.raises(ValueError, match="There is no file"):
        find_images((str(tmp_path / "*.bmp"),))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty is a folder without images"):
        find_images((str(tmp_path / "empty"),))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target", "2"], "Unknown class. Expected one of ['healthy', 'diseased']"),
        (["--reference", "mean"], "Only DeepLIFT has a reference"),
        (["--engine", "innvestigate"], "the product of a gate"),
        (["--save-array", "found.npy"], "ending in .npz"),
        (["--method", "lrp.epsilon,lpr.z"], "Unknown analyzer 'lpr.z'"),
        (["fundus:1"] * 12, "Too many images for one picture. Expected at most 12"),
    ],
)
def test_a_wrong_option_gives_one_sentence_and_exit_code_2(
    monkeypatch, capsys, tmp_path, arguments, said
):
    code, out, err = run(
        monkeypatch, capsys, "fundus:0", *arguments, "-o", tmp_path / "m.png"
    )
    assert code == 2 and out == "" and said in err
    assert err.startswith("medattn: ") and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_images_it_fails_and_equal_names_are_numbered(
    monkeypatch, capsys, tmp_path
):
    code, _, err = run(monkeypatch, capsys, "-o", tmp_path / "m.png")
    assert code == 2 and "nothing to explain" in err
    first = [dict(name="x/eye.png")]
    assert cli_explain._file_name("y/eye.jpg", first) == "eye-2.png"
    assert cli_explain._file_name("fundus:3", first) == "fundus-3.png"
