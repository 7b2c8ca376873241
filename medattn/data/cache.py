"""Shards on disk: made once, by one process, whole or not at all.

A folder holds `00000.image.npy`, ... and for each shard a `00000.json` with its hashes,
written last; `index.json`, written after all of them, makes the whole valid. Files
appear under their name only when complete, so that a kill at any moment costs one shard
at most.
"""

import hashlib
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

SHARD = 256  # rows


def cache_folder():
    """Returns where prepared images lie: `MEDATTN_CACHE`, or the platform's place."""
    chosen = os.environ.get("MEDATTN_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "medattn"


def fingerprint(*things):
    """Returns a short hash of anything that JSON can write."""
    text = json.dumps(things, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def prepare(folder, rows, make, *, title, shard=SHARD, workers=2):
    """Makes the shards that are not there yet, and opens the whole.

    Another process that prepares the same folder is waited for.

    Args:
        folder: Where the shards go.
        rows: How many there are in all.
        make: A function from `(start, stop)` to a dict of arrays, `stop - start` rows.
        title: What the progress bar says.
        shard: Rows in a shard.
        workers: Threads that make shards side by side.

    Returns:
        A `Shards`.
    """
    from filelock import FileLock

    folder = Path(folder)
    if (folder / "index.json").exists():
        return Shards(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if (folder / "index.json").exists():  # another process was faster
            return Shards(folder)
        folder.mkdir(exist_ok=True)
        for stale in folder.glob("*.part"):
            stale.unlink()
        starts = list(range(0, rows, shard))
        missing = [s for s in starts if _sealed(folder, s // shard) is None]
        progress = Progress(title, rows, rows - shard * len(missing))

        def one(start):
            stop = min(start + shard, rows)
            _seal(folder, start // shard, make(start, stop))
            progress.add(stop - start)

        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(one, missing):
                pass
        progress.close()
        seals = [_sealed(folder, start // shard) for start in starts]
        index = dict(rows=rows, shard=shard, shards=seals)
        _write(folder / "index.json", json.dumps(index).encode())
    return Shards(folder)


class Shards:
    """Prepared rows, read from disk when asked for.

    Args:
        folder: A folder that `prepare` finished.
        verify: Whether to compare every file with its hash.

    Raises:
        ValueError: If a file is missing, cut short or changed.
    """

    def __init__(self, folder, *, verify=False):
        self.folder = Path(folder)
        index = json.loads((self.folder / "index.json").read_text())
        self.rows, self.shard = index["rows"], index["shard"]
        self._columns = {}
        for number, seal in enumerate(index["shards"]):
            for column, (size, digest) in seal.items():
                path = self.folder / f"{number:05d}.{column}.npy"
                found = path.stat().st_size if path.exists() else None
                if found != size or (verify and _digest(path) != digest):
                    raise ValueError(
                        f"The prepared file {path} is not as it was written. Expected "
                        f"{size} bytes with SHA-256 {digest[:12]}... Received: "
                        f"{found} bytes. Delete the folder {self.folder} and prepare "
                        "again"
                    )
                self._columns.setdefault(column, []).append(path)
        self._open = {}

    def __len__(self):
        return self.rows

    def read(self, column, positions):
        """Returns some rows of a column, in the order asked for."""
        positions = np.asarray(positions)
        parts = self._parts(column)
        out = np.empty((len(positions), *parts[0].shape[1:]), parts[0].dtype)
        which = positions // self.shard
        for number in np.unique(which):
            chosen = which == number
            out[chosen] = parts[number][positions[chosen] - number * self.shard]
        return out

    def whole(self, column):
        """Returns a column in memory, closed to writing."""
        rows = np.concatenate([np.load(path) for path in self._columns[column]])
        rows.flags.writeable = False
        return rows

    def _parts(self, column):
        if column not in self._open:
            paths = self._columns[column]
            self._open[column] = [np.load(path, mmap_mode="r") for path in paths]
        return self._open[column]


class Progress:
    """A bar on the terminal, or a line now and then where there is none."""

    def __init__(self, title, total, done=0):
        self.title, self.total, self.done = title, total, done
        self._start = self._said = time.monotonic()
        self._shown = False

    def add(self, rows):
        """Counts rows that are done."""
        self.done += rows
        now, tty = time.monotonic(), sys.stderr.isatty()
        if now - self._said < (0.2 if tty else 10):
            return
        self._said, self._shown = now, True
        filled = int(24 * self.done / max(self.total, 1))
        line = f"{self.title} [{'#' * filled:<24}] {self.done}/{self.total}"
        print(f"\r{line}" if tty else line, end="" if tty else "\n", file=sys.stderr)
        sys.stderr.flush()

    def close(self):
        """Says how long it took, if anything was said before."""
        if self._shown:
            spent = time.monotonic() - self._start
            print(f"\r{self.title}: {self.total} in {spent:.0f} s", file=sys.stderr)


def _seal(folder, number, columns):
    seal = {}
    for column, rows in columns.items():
        path = folder / f"{number:05d}.{column}.npy"
        unfinished = folder / f"{path.name}.part"
        with open(unfinished, "wb") as file:
            np.save(file, rows, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        seal[column] = [unfinished.stat().st_size, _digest(unfinished)]
        os.replace(unfinished, path)
    _write(folder / f"{number:05d}.json", json.dumps(seal).encode())


def _sealed(folder, number):
    """The hashes of a shard that is whole, or None."""
    path = folder / f"{number:05d}.json"
    if not path.exists():
        return None
    seal = json.loads(path.read_text())
    for column, (size, digest) in seal.items():
        shard = folder / f"{number:05d}.{column}.npy"
        if not shard.exists() or shard.stat().st_size != size:
            return None
        if _digest(shard) != digest:
            return None
    return seal


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path, content):
    unfinished = path.with_name(f"{path.name}.part")
    with open(unfinished, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
