"""A trial on the other backends: it trains and is measured as on TensorFlow."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = """
import sys
from medattn.study import Study, run_study
study = Study("s", "se_micro_resnet", "fundus", 0.1, analyzers=sys.argv[2:],
              budget=dict(size=32, steps=24, rounds=3, batch_size=16))
status = run_study(study, sys.argv[1], workers=1, progress=False)
assert status["done"] == 1, status
"""


def environment(backend):
    """The variables of a process on a backend; torch may lie in a folder of its own."""
    paths = [os.environ.get("MEDATTN_TORCH", "")] * (backend == "torch")
    paths += [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, paths))
    return os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "analyzers"),
    [("jax", ["lrp.epsilon"]), ("torch", [])],  # torch on a CPU takes minutes for maps
)
def test_a_trial_runs_on_the_backend(backend, analyzers, tmp_path):
    if backend == "torch" and not os.environ.get("MEDATTN_TORCH"):
        pytest.importorskip("torch")
    if backend == "jax" and importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed")
    out = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), *analyzers],
        capture_output=True,
        text=True,
        env=environment(backend),
    )
    assert out.returncode == 0, out.stderr[-3000:]
    (folder,) = [p for p in (tmp_path / "s").iterdir() if p.is_dir()]
    assert json.loads((folder / "environment.json").read_text())["backend"] == backend
    done = json.loads((folder / "done.json").read_text())
    assert done["steps"] == 24 and 0 <= done["test"]["auroc"] <= 1
    lines = (folder / "history.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert [json.loads(line)["step"] for line in lines] == [8, 16, 24]
    assert losses[-1] < losses[0]
    assert {p.name for p in folder.glob("maps-*")} == {
        f"maps-{name}.npz" for name in analyzers
    }
    assert list((folder / "tensorboard" / "train").glob("events.out.tfevents.*"))
