"""Files: atomic writes and checkpoints."""

import os
from pathlib import Path

import numpy as np
import pytest

from medattn.study.files import load_checkpoint, save_checkpoint, write_atomic


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "x"
    write_atomic(path, "old")
    if Path("/dev/full").exists():
        os.symlink("/dev/full", tmp_path / f".x.{os.getpid()}.part")
        with pytest.raises(OSError, match="No space left"):
            write_atomic(path, "new" * 10_000)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_checkpoints_are_read_to_the_bit_and_two_are_kept(tmp_path):
    arrays = {"a": np.float32([1.5, np.pi]), "n": np.int64(7)}
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, arrays, {"step": step, "history": [0.1]})
    assert len(list(tmp_path.iterdir())) == 2
    found, progress = load_checkpoint(tmp_path)
    assert progress == {"step": 3, "history": [0.1]}
    np.testing.assert_array_equal(found["a"], arrays["a"])
    assert found["n"] == 7 and found["n"].dtype == np.int64
