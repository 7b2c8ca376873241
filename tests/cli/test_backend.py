"""The command line computes in single precision, whatever keras.json says."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "floatx", ["float16", pytest.param("float32", marks=pytest.mark.slow)]
)
def test_keras_json_does_not_change_the_precision(tmp_path, floatx):
    (tmp_path / "keras.json").write_text(
        json.dumps({"floatx": floatx, "backend": "tensorflow"})
    )
    code = """
from medattn.cli import import_backend
import_backend()
import keras
print(keras.config.floatx(), keras.layers.Dense(1).compute_dtype)
"""
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "KERAS_HOME": str(tmp_path)},
    )
    assert out.stdout.split() == ["float32", "float32"]
    assert ("computing in 'float32'" in out.stderr) == (floatx != "float32")
