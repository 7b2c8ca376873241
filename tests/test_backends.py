"""Layers, models, attach and LRP on the other backends, against TensorFlow."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from contract import CASES, inputs_of, randomised

from medattn.explain import create_analyzer
from medattn.models import create_model, list_models, save_weights

MICRO = [name for name in list_models() if "micro" in name]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Weights, images and a saved model, with the outputs of TensorFlow."""
    folder = tmp_path_factory.mktemp("backends")
    images = np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float32)
    np.save(folder / "images.npy", images)
    outputs = {}
    rng = np.random.default_rng(1)
    for name in MICRO:
        model = create_model(name)
        for weight in model.weights:
            positive = weight.path.endswith(("gamma", "moving_variance"))
            low, high = (0.5, 1.5) if positive else (-0.3, 0.3)
            # As float16 holds them, so that the file carries them exactly.
            weight.assign(rng.uniform(low, high, weight.shape).astype(np.float16))
        save_weights(model, folder / f"{name}.safetensors")
        outputs[name] = np.asarray(model(images))
        if name == "cbam_micro_resnet":
            analyzer = create_analyzer("lrp.epsilon", model)
            outputs[f"{name}.relevance"] = analyzer.analyze(images)
        if name == "se_micro_resnet":
            model.save(folder / "saved.keras")
            outputs["saved"] = outputs[name]
    inputs, layers = {}, {}
    for name, case in CASES.items():
        arrays = inputs_of(case)
        layer = randomised(case.make(), arrays)
        layers[name] = keras.saving.serialize_keras_object(layer)
        for k, array in enumerate(keras.tree.flatten(arrays)):
            inputs[f"{name}/input/{k}"] = array
        for k, weight in enumerate(layer.weights):
            inputs[f"{name}/weight/{k}"] = weight.numpy()
        outputs[f"layer {name}"] = np.asarray(layer(arrays))
    np.savez(folder / "layers.npz", **inputs)
    (folder / "layers.json").write_text(json.dumps(layers))
    return folder, outputs


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_gives_the_same_outputs_and_maps(reference, backend):
    # torch is large, so uv does not bring it: MEDATTN_TORCH names the folder of
    # `pip install --target FOLDER torch`.
    torch_folder = os.environ.get("MEDATTN_TORCH") if backend == "torch" else None
    if importlib.util.find_spec(backend) is None and not torch_folder:
        pytest.skip(f"{backend} is not installed; see MEDATTN_TORCH in .ci/run")
    folder, expected = reference
    environment = {**os.environ, "KERAS_BACKEND": backend}
    if torch_folder:
        environment["PYTHONPATH"] = str(Path(torch_folder).absolute())
    out = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "backends.py"), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert out.returncode == 0, out.stderr[-3000:]
    assert f"backend {backend}" in out.stdout
    found = np.load(folder / "outputs.npz")
    assert set(found) == set(expected)
    for name, values in expected.items():
        scale = np.abs(values).max()
        np.testing.assert_allclose(found[name], values, atol=1e-4 * scale, err_msg=name)
