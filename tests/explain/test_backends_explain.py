"""Every analyzer of our own on JAX and torch, against TensorFlow."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from networks import calibrated

from medattn.explain import ANALYZERS, list_analyzers
from medattn.explain.gradient.cams import (
    CAM_ANALYZERS,  # tf-keras-vis, so TensorFlow's alone
)
from medattn.models import create_model, save_weights

SCRIPT = Path(__file__).parent / "explain_on_backend.py"
OPTIONS = {"integrated_gradients": {"steps": 4}, "smoothgrad": {"augment_by_n": 4}}
ALIASES = ("lrp.z_plus", "lrp.z_plus_fast")  # of lrp.alpha_1_beta_0_IB
RELU_ONLY = ("deconvnet", "guided_backprop")
GATES = ("attention.spatial_gate", "attention.channel_gate")
TOKENS = ("attention.rollout", "attention.transformer")
EVERYWHERE = [
    name
    for name in list_analyzers()
    if name not in (*CAM_ANALYZERS, *ALIASES, *RELU_ONLY, *GATES, *TOKENS)
]
COMPARED = {
    "cbam_micro_resnet": (*EVERYWHERE, *GATES),
    "micro_deit": (*EVERYWHERE, *TOKENS),
    "micro_resnet": RELU_ONLY,
}


def explain(folder, backend, beside=None):
    environment = {**os.environ, "KERAS_BACKEND": backend}
    if beside:
        environment["PYTHONPATH"] = str(Path(beside).absolute())
    run = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return dict(np.load(folder / f"{backend}.npz"))


@pytest.fixture(scope="module")
def by_tensorflow(tmp_path_factory):
    """The folder of weights, images and names, with TensorFlow's maps."""
    folder = tmp_path_factory.mktemp("backends")
    images = np.random.default_rng(0).random((2, 64, 64, 3)).astype(np.float32)
    np.save(folder / "images.npy", images)
    for network in COMPARED:
        model = calibrated(create_model(network), 1)
        save_weights(model, folder / f"{network}.safetensors")
    analyzers = {
        network: {name: OPTIONS.get(name, {}) for name in names}
        for network, names in COMPARED.items()
    }
    (folder / "analyzers.json").write_text(json.dumps(analyzers))
    return folder, explain(folder, "tensorflow")


def test_all_native_analyzers_are_compared():
    compared = {name for names in COMPARED.values() for name in names}
    assert compared | {*CAM_ANALYZERS, *ALIASES} == set(list_analyzers())
    for alias in ALIASES:
        assert ANALYZERS[alias] is ANALYZERS["lrp.alpha_1_beta_0_IB"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_maps_are_the_same_on_every_backend(by_tensorflow, backend):
    beside = os.environ.get("MEDATTN_TORCH") if backend == "torch" else None
    if importlib.util.find_spec(backend) is None and not beside:
        pytest.skip(f"{backend} is not installed; see MEDATTN_TORCH in .ci/run")
    folder, expected = by_tensorflow
    found = explain(folder, backend, beside)
    assert set(found) == set(expected)
    assert len(found) == sum(map(len, COMPARED.values()))
    for name, values in expected.items():
        scale = np.abs(values).max()
        assert scale > 0 or "taylor" in name  # which explains a positive logit only
        np.testing.assert_allclose(found[name], values, atol=1e-4 * scale, err_msg=name)
