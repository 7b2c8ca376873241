"""From a folder of one's own images to a model that others load."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

from medattn.cli import main

LOAD = """
import sys
import keras
import numpy as np
import medattn.layers
model = keras.saving.load_model(sys.argv[1], safe_mode=True)
images = np.load(sys.argv[2])
np.save(sys.argv[3], np.asarray(model(images)))
"""


@pytest.fixture
def images(tmp_path):
    """Ninety photographs of two kinds: a bright square on the left or on the right."""
    rng = np.random.default_rng(0)
    for number in range(90):
        kind = ("left", "right")[number % 2]
        pixels = rng.integers(0, 120, (40, 40, 3))
        row, column = rng.integers(4, 28), rng.integers(2, 10)
        column += 20 * (kind == "right")
        pixels[row : row + 8, column : column + 8] = 240
        folder = tmp_path / "photos" / kind
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02d}.png")
    return tmp_path / "photos"


def command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["medattn", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return printed.out


@pytest.mark.slow
def test_a_model_of_a_folder_is_loaded_by_keras_explain_and_the_zoo(
    images, tmp_path, monkeypatch, capsys
):
    budget = ("--steps", "30", "--size", "32", "--batch-size", "16")
    out = command(
        monkeypatch, capsys, "train", "cbam_micro_resnet", "--data", images, *budget,
        "-o", tmp_path / "runs",
    )  # fmt: skip
    assert "(left, right): test AUROC" in out
    (path,) = (tmp_path / "runs").rglob("*.keras")
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["measured"]["classes"] == ["left", "right"]

    # Plain Keras, in a process that imports only our layers.
    given = np.random.default_rng(1).random((3, 32, 32, 3)).astype(np.float32)
    np.save(tmp_path / "images.npy", given)
    files = (path, tmp_path / "images.npy", tmp_path / "logits.npy")
    subprocess.run([sys.executable, "-c", LOAD, *map(str, files)], check=True)
    from medattn.zoo import list_own_models, load_own_model

    name = path.relative_to(tmp_path / "runs").as_posix()
    assert list(list_own_models(tmp_path / "runs")) == [name]
    model = load_own_model(tmp_path / "runs", name)
    np.testing.assert_allclose(
        np.load(tmp_path / "logits.npy"), keras.ops.convert_to_numpy(model(given)),
        atol=1e-4,
    )  # fmt: skip

    photo = next((images / "right").iterdir())
    out = command(
        monkeypatch, capsys, "explain", photo, "--model", path, "--target", "right",
        "-o", tmp_path / "map.png",
    )  # fmt: skip
    assert "P(right)" in out and "a model of your own" in out
    assert "pixels " in out and " = logit " in out
