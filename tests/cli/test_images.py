"""Files that would hang or fill the machine are one sentence and exit code 2."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from medattn.data.limits import MAXIMUM_SIDE


@pytest.mark.parametrize(
    "kind", ["line", "pipe", pytest.param("device", marks=pytest.mark.slow)]
)
def test_explain_refuses_it_in_one_sentence(tmp_path, kind):
    path = tmp_path / "eye.png"
    if kind == "line":
        Image.new("1", (1, MAXIMUM_SIDE + 1)).save(path)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path = "/dev/zero"
    out = subprocess.run(
        [sys.executable, "-m", "medattn", "explain", str(path)]
        + ["-o", str(tmp_path / "map.png")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert out.returncode == 2 and out.stderr.startswith("medattn: ")
    assert "too long" in out.stderr or "no ordinary file" in out.stderr
    assert len(out.stderr.strip().splitlines()) == 1 and "Traceback" not in out.stderr
