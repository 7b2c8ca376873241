"""The command line: app, explain, train and report as a user calls them."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from medattn.cli import main


def run(monkeypatch, capsys, *arguments):
    """Runs the command here; returns exit code, output, errors."""
    monkeypatch.setattr(sys, "argv", ["medattn", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_command_of_the_readme_explains_the_photograph_of_a_retina(tmp_path):
    """In a process of its own, as in a shell; stderr stays empty."""
    out = subprocess.run(
        [sys.executable, "-m", "medattn", "explain", "skimage:retina", "-o", "map.png"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"},
    )
    assert out.returncode == 0, out.stderr
    assert out.stderr == ""
    assert "P(diseased) < 0.01" in out.stdout
    assert "pixels " in out.stdout and " = logit " in out.stdout
    assert "no judge of a real eye" in out.stdout
    image = np.asarray(Image.open(tmp_path / "map.png").convert("RGB"))
    assert image.shape[1] == 1440
    assert [p.name for p in tmp_path.iterdir()] == ["map.png"]


def test_a_synthetic_image_is_explained_with_its_evidence(
    monkeypatch, capsys, tmp_path
):
    code, out, _ = run(
        monkeypatch,
        capsys,
        "explain",
        "fundus:17",
        "-o",
        tmp_path / "m.png",
        "--model",
        "se_micro_resnet",
        "--regime",
        "0.1",
    )
    assert code == 0
    assert "se_micro_resnet trained on 10% of drawn retinas" in out
    assert "of the relevance lies inside the evidence" in out


@pytest.mark.parametrize("method", ["gradient", "input_t_gradient"])
def test_a_method_without_an_audit_prints_no_sum(monkeypatch, capsys, tmp_path, method):
    code, out, _ = run(
        monkeypatch,
        capsys,
        "explain",
        "fundus:17",
        "-o",
        tmp_path / "m.png",
        "--method",
        method,
    )
    assert code == 0 and method in out and "= logit" not in out


def test_images_of_other_formats_are_explained_too(monkeypatch, capsys, tmp_path):
    grey = np.linspace(0, 65535, 100 * 80).astype(np.uint16).reshape(100, 80)
    Image.fromarray(grey).save(tmp_path / "grey16.png")
    Image.new("RGBA", (50, 90), (200, 90, 40, 128)).save(tmp_path / "rgba.png")
    Image.new("CMYK", (64, 64), (10, 90, 80, 5)).save(tmp_path / "cmyk.jpg")
    for name in ("grey16.png", "rgba.png", "cmyk.jpg"):
        code, out, _ = run(
            monkeypatch, capsys, "explain", tmp_path / name, "-o", tmp_path / "m.pdf"
        )
        assert code == 0 and "P(diseased)" in out
    assert (tmp_path / "m.pdf").read_bytes().startswith(b"%PDF")


def bad_files(folder):
    Image.new("1", (9000, 9000)).save(folder / "bomb.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("I am no image")
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    Image.new("RGB", (64, 64), "red").save(folder / "half.png")
    (folder / "half.png").write_bytes((folder / "half.png").read_bytes()[:90])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bomb.png", "too large"),
        ("empty.png", "is empty"),
        ("text.png", "not an image"),
        ("moving.gif", "one still image"),
        ("half.png", "damaged"),
        ("absent.png", "There is no file"),
        ("", "5 of 5 images could not be explained: bomb.png is too large"),
    ],
)
def test_a_bad_file_gives_one_sentence_and_exit_code_2(
    monkeypatch, capsys, tmp_path, name, said
):
    bad_files(tmp_path)
    code, out, err = run(
        monkeypatch, capsys, "explain", tmp_path / name, "-o", tmp_path / "m.png"
    )
    assert code == 2 and out == ""
    assert err.startswith("medattn: ") and said in err
    assert err.count("\n") == 1 and "Traceback" not in err
    assert not (tmp_path / "m.png").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "resnet"], "No such model is shipped"),
        (["--regime", "0.3"], "No such model is shipped"),
        (["--method", "lrp"], "Unknown analyzer 'lrp'"),
        (["-o", "map.docx"], "Unknown kind of picture"),
    ],
)
def test_an_unknown_choice_lists_the_choices(
    monkeypatch, capsys, tmp_path, arguments, said
):
    if "-o" not in arguments:
        arguments = [*arguments, "-o", tmp_path / "m.png"]
    code, _, err = run(monkeypatch, capsys, "explain", "fundus:0", *arguments)
    assert code == 2 and said in err and "Traceback" not in err


@pytest.mark.parametrize("image", ["fundus:1000", "fundus:-1", "fundus:x"])
def test_a_position_out_of_range_is_refused(monkeypatch, capsys, tmp_path, image):
    code, _, err = run(monkeypatch, capsys, "explain", image, "-o", tmp_path / "m.png")
    assert code == 2 and "fundus:0 to fundus:999" in err


def test_a_mistyped_option_gives_exit_code_2(monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, "train", "micro_resnet", "--regimes", "0.1")
    assert code == 2 and "regimes" in err and "Traceback" not in err


@pytest.mark.slow
def test_training_prints_a_progress_bar_and_saves(monkeypatch, capsys, tmp_path):
    code, out, err = run(
        monkeypatch,
        capsys,
        "train",
        "micro_resnet",
        "--regime",
        "0.01",
        "--steps",
        "10",
        "-o",
        tmp_path,
    )
    assert code == 0, err
    assert "Epoch 10/10" in out and "━" in out and "val_loss" in out
    assert "test AUROC" in out
    assert (tmp_path / "fundus" / "micro_resnet-1pct-seed0.json").exists()


@pytest.mark.slow
def test_training_in_mixed_precision_keeps_float32_weights(
    monkeypatch, capsys, tmp_path
):
    """Layers compute in bfloat16; the weights and the logits stay float32."""
    import keras

    computed = {}

    class Spy(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            convolutions = [
                layer
                for layer in self.model.layers
                if isinstance(layer, keras.layers.Conv2D)
            ]
            computed["in"] = {layer.compute_dtype for layer in convolutions}
            computed["weights"] = {layer.kernel.dtype for layer in convolutions}

    plain = keras.Model.fit
    spied = lambda *args, callbacks=(), **options: plain(  # noqa: E731
        *args, callbacks=[*callbacks, Spy()], **options
    )
    monkeypatch.setattr(keras.Model, "fit", spied)
    options = ("--regime", "0.01", "--steps", "10", "--size", "32", "-o", tmp_path)
    try:
        code, out, err = run(
            monkeypatch,
            capsys,
            *("train", "micro_resnet", "--precision", "mixed_bfloat16", *options),
        )
    finally:
        keras.config.set_dtype_policy("float32")
    assert code == 0, err
    assert computed == {"in": {"bfloat16"}, "weights": {"float32"}}
    record = (tmp_path / "fundus" / "micro_resnet-1pct-seed0.json").read_text()
    assert '"precision": "mixed_bfloat16"' in record
    assert "test AUROC" in out


def test_the_complexity_table_is_printed(monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, "report", "complexity", "--micro")
    lines = out.splitlines()
    assert code == 0 and len(lines) == 8
    row = next(line for line in lines if line.startswith("se_micro_resnet"))
    assert "20,274" in row and "2,304" in row
    code, _, err = run(monkeypatch, capsys, "report", "complexity", "--rounds", "-1")
    assert code == 2 and "rounds >= 0" in err


def test_a_regime_too_small_is_refused(monkeypatch, capsys, tmp_path):
    code, _, err = run(
        monkeypatch,
        capsys,
        "train",
        "micro_resnet",
        "--regime",
        "0.0001",
        "-o",
        tmp_path,
    )
    assert code == 2 and "Too few images" in err
