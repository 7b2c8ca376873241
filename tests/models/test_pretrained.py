"""The weights of the originals give the logits of the originals."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from medattn.models import create_model, load_pretrained

TORCH = os.environ.get("MEDATTN_TORCH")
needs_torch = pytest.mark.skipif(
    not TORCH and importlib.util.find_spec("timm") is None,
    reason="torch, torchvision and timm are missing; see MEDATTN_TORCH in .ci/run",
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A folder with the originals' weights, two images, and their answers."""
    folder = tmp_path_factory.mktemp("originals")
    environment = dict(os.environ)
    if TORCH:
        environment["PYTHONPATH"] = str(Path(TORCH).absolute())
    script = Path(__file__).parent / "originals.py"
    subprocess.run(
        [sys.executable, str(script), str(folder)], check=True, env=environment
    )
    return folder


@needs_torch
@pytest.mark.parametrize(
    ("name", "options"),
    [("resnet50", {}), ("densenet121", {"pooling": "avg"}), ("deit_tiny", {})],
)
def test_logits_are_those_of_the_original(originals, name, options):
    model = create_model(name, num_classes=1000, **options)
    left = load_pretrained(model, originals / f"{name}.safetensors")
    assert left == []
    found = model.predict_on_batch(np.load(originals / "images.npy"))
    expected = np.load(originals / f"{name}.npy")
    scale = np.abs(expected).max()
    assert expected.std() > 1e-3 * scale  # not trivial
    np.testing.assert_allclose(found, expected, atol=1e-4 * scale)


@needs_torch
@pytest.mark.parametrize("name", ["se_resnet50", "cbam_densenet121"])
def test_pretrained_trunks_load_below_attention_and_gates_keep_their_weights(
    originals, name
):
    trunk = name.split("_")[1]
    model = create_model(name)
    gates = [w for w in model.weights if f"_{name.split('_')[0]}/" in w.path]
    before = [w.numpy().copy() for w in gates]
    left = load_pretrained(model, originals / f"{trunk}.safetensors")
    assert set(left) == {w.path for w in gates} | {
        "predictions/kernel",
        "predictions/bias",
    }
    for weight, old in zip(gates, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)
    stem = load_file(originals / f"{trunk}.safetensors")
    key = "conv1.weight" if trunk == "resnet50" else "features.conv0.weight"
    np.testing.assert_array_equal(
        model.get_layer("conv1_conv").kernel.numpy(), stem[key].transpose(2, 3, 1, 0)
    )


def torchlike(model):
    """The weights of a micro network, by the names of torchvision's ResNet."""
    from medattn.models.pretrained import RESNET, original_name

    state = {}
    for weight in model.weights:
        name = original_name(weight.path, RESNET)
        array = weight.numpy()
        if weight.path.endswith("kernel"):
            array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
        state[name] = np.ascontiguousarray(array)
    return state


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", "There is no weights file"),
        ("truncated", "damaged"),
        (
            "missing weight",
            "belong to another network. Expected 'layer1.0.conv2.weight'",
        ),
        ("shape", "has another shape"),
    ],
)
def test_bad_files_are_refused_and_nothing_is_loaded(tmp_path, damage, message):
    source, model = create_model("micro_resnet"), create_model("micro_resnet")
    before = [weight.numpy().copy() for weight in model.weights]
    state, path = torchlike(source), tmp_path / "m.safetensors"
    if damage == "missing weight":
        del state["layer1.0.conv2.weight"]
    if damage == "shape":
        state["layer3.0.conv2.weight"] = state["layer3.0.conv2.weight"][:-1]
    save_file(state, path)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-64])
    if damage == "missing":
        path.unlink()
    with pytest.raises(ValueError, match=message):
        load_pretrained(model, path)
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)


def test_weights_survive_the_translation_to_original_names(tmp_path):
    source, model = create_model("micro_resnet"), create_model("micro_resnet")
    save_file(torchlike(source), tmp_path / "m.safetensors")
    assert load_pretrained(model, tmp_path / "m.safetensors") == []
    images = np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(model(images), source(images), rtol=1e-6)
    three = create_model("micro_resnet", num_classes=3)
    left = load_pretrained(three, tmp_path / "m.safetensors")
    assert left == ["predictions/kernel", "predictions/bias"]
