"""Shards: complete or absent, made once, resumed after a stop."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from medattn.data import load_dataset
from medattn.data.cache import Shards, cache_folder, prepare


def rows(start, stop):
    return {"image": np.arange(start, stop, dtype=np.uint8)[:, None]}


def test_rows_are_read_in_the_requested_order(tmp_path):
    shards = prepare(tmp_path / "x", 100, rows, title="x", shard=7)
    positions = np.array([99, 0, 13, 14, 13])
    np.testing.assert_array_equal(shards.read("image", positions)[:, 0], positions)
    np.testing.assert_array_equal(shards.load("image")[:, 0], np.arange(100))


def test_finished_shards_are_not_made_again(tmp_path):
    made = []

    def make(start, stop):
        made.append(start)
        return rows(start, stop)

    for _ in range(2):
        prepare(tmp_path / "x", 20, make, title="x", shard=5)
    assert sorted(made) == [0, 5, 10, 15]


def test_a_missing_or_changed_shard_is_made_again_and_the_others_are_kept(tmp_path):
    made = []

    def make(start, stop):
        made.append(start)
        return rows(start, stop)

    folder = tmp_path / "x"
    prepare(folder, 20, make, title="x", shard=5)
    (folder / "index.json").unlink()  # as if stopped before the end
    (folder / "00001.image.npy").unlink()
    changed = bytearray((folder / "00002.image.npy").read_bytes())
    changed[-1] ^= 1
    (folder / "00002.image.npy").write_bytes(changed)
    (folder / "00007.image.npy.part").write_bytes(b"half")
    made.clear()
    shards = prepare(folder, 20, make, title="x", shard=5)
    assert sorted(made) == [5, 10]
    np.testing.assert_array_equal(shards.load("image")[:, 0], np.arange(20))
    assert not list(folder.glob("*.part"))


def test_a_truncated_or_changed_file_of_a_finished_cache_is_refused(tmp_path):
    folder = tmp_path / "x"
    prepare(folder, 20, rows, title="x", shard=5)
    path = folder / "00001.image.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(ValueError, match="not as it was written.*prepare again"):
        Shards(folder)
    path.write_bytes(content[:-1] + b"\xff")
    Shards(folder)
    with pytest.raises(ValueError, match="not as it was written"):
        Shards(folder, verify=True)


SLOW = """
import sys, time, numpy as np
from pathlib import Path
from medattn.data.cache import prepare
log = open(sys.argv[2], "a")
def make(start, stop):
    log.write(f"{start}\\n"); log.flush(); time.sleep(0.1)
    return {"image": np.arange(start, stop, dtype=np.uint8)[:, None]}
prepare(sys.argv[1], 100, make, title="x", shard=5, workers=1)
"""


def begin(folder, log):
    return subprocess.Popen([sys.executable, "-c", SLOW, folder, log])


def test_two_processes_make_every_shard_once(tmp_path):
    log = tmp_path / "log"
    both = [begin(tmp_path / "x", log) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    made = sorted(int(line) for line in log.read_text().split())
    assert made == list(range(0, 100, 5))


def test_after_a_kill_only_the_missing_shards_are_made(tmp_path):
    folder, log = tmp_path / "x", tmp_path / "log"
    process = begin(folder, log)
    for _ in range(300):
        if log.exists() and len(log.read_text().split()) >= 6:
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "index.json").exists()
    finished = len(list(folder.glob("*.json")))
    assert 4 <= finished < 20
    log.unlink()
    assert begin(folder, log).wait() == 0
    assert len(log.read_text().split()) == 20 - finished
    np.testing.assert_array_equal(
        Shards(folder, verify=True).load("image")[:, 0], np.arange(100)
    )
    assert json.loads((folder / "index.json").read_text())["rows"] == 100


DYING = """
import os, signal, sys, threading
import numpy as np
from medattn.data import cache
from medattn.data.cache import Shards, prepare

def make(start, stop):
    return {"image": np.arange(start, stop, dtype=np.uint8)[:, None]}

def counted(real, half=None):
    def call(*arguments, **options):
        with lock:
            left[0] -= 1
            if left[0] == 0:
                if half:
                    half(*arguments)
                os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    return call

def half_of_it(file, rows, **_):
    file.write(rows.tobytes()[: rows.nbytes // 2])
    file.flush()

lock, left = threading.Lock(), [0]
for moment in range(1, 200):
    folder = f"{sys.argv[1]}/{moment}"
    child = os.fork()
    if child == 0:
        left[0] = moment
        os.replace, os.fsync = counted(os.replace), counted(os.fsync)
        np.save = counted(np.save, half_of_it)
        prepare(folder, 20, make, title="x", shard=5)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
    complete = os.path.exists(f"{folder}/index.json")
    shards = prepare(folder, 20, make, title="x", shard=5)
    assert not complete, "the index came before the end"
    assert not [name for name in os.listdir(folder) if name.endswith(".part")]
    rows = Shards(folder, verify=True).load("image")[:, 0]
    np.testing.assert_array_equal(rows, np.arange(20))
print(moment - 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills by signal")
def test_a_kill_at_any_disk_operation_leaves_no_incomplete_shard(tmp_path):
    """Before every write, sync and rename, and in the middle of every array."""
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DYING, tmp_path],
        capture_output=True,
        text=True,
    )
    assert out.returncode == 0, out.stderr
    assert int(out.stdout) == 4 * 5 + 2  # five operations a shard, two for the index


def test_perceptual_hashes_survive_an_interruption(monkeypatch, tmp_path):
    from medattn.data import duplicates

    monkeypatch.setenv("MEDATTN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(duplicates, "SAVE_EVERY", 4)
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i:02d}.png" for i in range(14)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(path)
    plain, read = duplicates.decode, []

    def stopping(path, *options):
        if path == paths[9]:
            raise KeyboardInterrupt
        return plain(path, *options)

    def counting(path, *options):
        read.append(path)
        return plain(path, *options)

    monkeypatch.setattr(duplicates, "decode", stopping)
    with pytest.raises(KeyboardInterrupt):
        duplicates.hash_files(paths)
    monkeypatch.setattr(duplicates, "decode", counting)
    hashes, broken = duplicates.hash_files(paths)
    assert sorted(read) == paths[8:] and len(hashes) == 14 and not broken


def test_the_cache_is_written_to_the_chosen_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MEDATTN_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    data = load_dataset("chest", split="validation", size=32)
    made = [path.name for path in (tmp_path / "synthetic").glob("chest-*/index.json")]
    assert made == ["index.json"]
    again = load_dataset("chest", split="validation", size=32)
    np.testing.assert_array_equal(data.labels, again.labels)


def test_without_a_writable_cache_images_are_kept_in_memory(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("MEDATTN_CACHE", str(blocked / "under"))
    assert len(load_dataset("chest", split="validation", size=33)) == 500
