"""Shards on disk: made once, by one process, completely or not at all.

A folder holds `00000.image.npy`, ... and for each shard a `00000.json` with its sizes
and hashes, written last; `index.json`, written after all shards, makes the folder
valid. A file gets its name only when it is complete, so that a kill at any moment costs
one shard at most.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

SHARD = 256  # rows
Hashes = dict[str, tuple[int, str]]  # of each column of a shard: bytes and SHA-256


def cache_folder() -> Path:
    """Returns the folder of prepared images: `MEDATTN_CACHE`, or the platform's."""
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


def fingerprint(*values: Any) -> str:
    """Returns a short hash of anything that JSON can write."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_file(path: Path, content: bytes) -> None:
    """Writes a file that gets its name only when it is complete."""
    unfinished = path.with_name(f"{path.name}.part")
    with open(unfinished, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)


def prepare(
    folder: str | Path,
    rows: int,
    make: Callable[[int, int], Mapping[str, np.ndarray]],
    *,
    title: str,
    shard: int = SHARD,
    workers: int = 2,
) -> "Shards":
    """Makes the shards that are missing, and opens all of them.

    Waits for another process that prepares the same folder.

    Args:
        folder: Where the shards go.
        rows: Number of rows in all shards.
        make: A function from `(start, stop)` to a dict of arrays, `stop - start` rows.
        title: Title of the progress bar.
        shard: Rows in a shard.
        workers: Threads that make shards in parallel.

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
        missing = [s for s in starts if _read_hashes(folder, s // shard) is None]
        progress = Progress(title, rows, rows - shard * len(missing))

        def make_shard(start: int) -> None:
            stop = min(start + shard, rows)
            _write_shard(folder, start // shard, make(start, stop))
            progress.add(stop - start)

        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(make_shard, missing):
                pass
        progress.close()
        hashes = [_read_hashes(folder, start // shard) for start in starts]
        index = dict(rows=rows, shard=shard, shards=hashes)
        write_file(folder / "index.json", json.dumps(index).encode())
    return Shards(folder)


class Shards:
    """Prepared rows, read from disk on request.

    Args:
        folder: A folder that `prepare` finished.
        verify: Whether to compare every file with its hash.

    Raises:
        ValueError: If a file is missing, cut short or changed.
    """

    def __init__(self, folder: str | Path, *, verify: bool = False) -> None:
        self.folder = Path(folder)
        index = json.loads((self.folder / "index.json").read_text())
        self.rows, self.shard = index["rows"], index["shard"]
        self._columns: dict[str, list[Path]] = {}
        for number, hashes in enumerate(index["shards"]):
            for column, (size, digest) in hashes.items():
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
        self._open: dict[str, list[np.ndarray]] = {}

    def __len__(self) -> int:
        return self.rows

    def read(self, column: str, positions: np.ndarray) -> np.ndarray:
        """Returns some rows of a column, in the order of `positions`."""
        positions = np.asarray(positions)
        shards = self._shards(column)
        out = np.empty((len(positions), *shards[0].shape[1:]), shards[0].dtype)
        which = positions // self.shard
        for number in np.unique(which):
            chosen = which == number
            out[chosen] = shards[number][positions[chosen] - number * self.shard]
        return out

    def load(self, column: str) -> np.ndarray:
        """Loads a column into memory, read-only."""
        rows = np.concatenate([np.load(path) for path in self._columns[column]])
        rows.flags.writeable = False
        return rows

    def _shards(self, column: str) -> list[np.ndarray]:
        if column not in self._open:
            paths = self._columns[column]
            self._open[column] = [np.load(path, mmap_mode="r") for path in paths]
        return self._open[column]


class Progress:
    """A progress bar on a terminal, or a line every ten seconds elsewhere."""

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        self.title, self.total, self.done = title, total, done
        self._start = self._last = time.monotonic()
        self._shown = False

    def add(self, rows: int) -> None:
        """Counts rows that are done."""
        self.done += rows
        now, tty = time.monotonic(), sys.stderr.isatty()
        if now - self._last < (0.2 if tty else 10):
            return
        self._last, self._shown = now, True
        filled = int(24 * self.done / max(self.total, 1))
        line = f"{self.title} [{'#' * filled:<24}] {self.done}/{self.total}"
        print(f"\r{line}" if tty else line, end="" if tty else "\n", file=sys.stderr)
        sys.stderr.flush()

    def close(self) -> None:
        """Prints the time taken, if progress was printed before."""
        if self._shown:
            spent = time.monotonic() - self._start
            print(f"\r{self.title}: {self.total} in {spent:.0f} s", file=sys.stderr)


def _write_shard(folder: Path, number: int, columns: Mapping[str, np.ndarray]) -> None:
    hashes: Hashes = {}
    for column, rows in columns.items():
        path = folder / f"{number:05d}.{column}.npy"
        unfinished = folder / f"{path.name}.part"
        with open(unfinished, "wb") as file:
            np.save(file, rows, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        hashes[column] = (unfinished.stat().st_size, _digest(unfinished))
        os.replace(unfinished, path)
    write_file(folder / f"{number:05d}.json", json.dumps(hashes).encode())


def _read_hashes(folder: Path, number: int) -> Hashes | None:
    """Returns the sizes and hashes of a shard that is complete, or None."""
    path = folder / f"{number:05d}.json"
    if not path.exists():
        return None
    hashes = json.loads(path.read_text())
    for column, (size, digest) in hashes.items():
        shard = folder / f"{number:05d}.{column}.npy"
        if not shard.exists() or shard.stat().st_size != size:
            return None
        if _digest(shard) != digest:
            return None
    return hashes


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
