"""A server's folder is its own, and gone however the server ends."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from filelock import FileLock

from medattn_app.server import lifetime

CODE = """
import tempfile, time
tempfile.tempdir = {tmp!r}
from medattn_app.server.lifetime import end_as_ctrl_c_does, make_private_folder
print(make_private_folder(), flush=True)
end_as_ctrl_c_does()
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("ended")
"""


def start(tmp_path):
    """Starts a process with a folder; returns it and the folder."""
    code = textwrap.dedent(CODE).format(tmp=str(tmp_path))
    running = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    )
    return running, Path(running.stdout.readline().strip())


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "name", ["SIGTERM", *(pytest.param(n, marks=SLOW) for n in ("SIGHUP", "SIGINT"))]
)
def test_a_signal_ends_it_as_ctrl_c_does_and_nothing_is_left(tmp_path, name):
    running, folder = start(tmp_path)
    (folder / "visitor.png").write_bytes(b"pixels")
    running.send_signal(getattr(signal, name))
    out, _ = running.communicate(timeout=30)
    assert "ended" in out and running.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_runs_is_not(
    tmp_path, monkeypatch
):
    killed, left = start(tmp_path)
    killed.kill()
    killed.wait()
    killed.stdout.close()
    assert left.is_dir()
    monkeypatch.setattr(lifetime.tempfile, "tempdir", str(tmp_path))
    runs, old, made = (tmp_path / f"medattn-app-{name}" for name in ("r", "o", "m"))
    for folder in (runs, old, made):
        folder.mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "medattn-app-link").symlink_to(tmp_path / "other")
    os.utime(old, (0, 0))
    with FileLock(runs / lifetime.LOCK):
        swept = lifetime.sweep_stale_folders()
    assert sorted(swept) == sorted([left.parent.name, old.name])
    assert runs.is_dir() and made.is_dir() and (tmp_path / "other").is_dir()
    assert not left.parent.exists()
