"""Copies of an image, found by a hash of how it looks."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from medattn.data.cache import Progress, _write, cache_folder, fingerprint
from medattn.data.readers.tables import choose
from medattn.data.sources import decode

SIDE = 16
AT_ONCE = 256  # images between two savings
MOST_BITS_APART = 8  # of 256; two different photographs are about 100 apart


def perceptual_hash(image):
    """Tells in 256 bits where an image gets brighter from left to right.

    Args:
        image: `(16, 17, channels)` or larger multiples thereof, float32; it is averaged
            down.

    Returns:
        64 hexadecimal digits; copies, also re-encoded or resized ones, mostly share it.
    """
    grey = np.asarray(image, np.float32).mean(-1)
    return np.packbits(grey[:, 1:] > grey[:, :-1] + 1 / 512).tobytes().hex()


def hash_files(paths, *, title="looking for copies"):
    """Hashes image files, remembering the answers between runs.

    Returns:
        A dict from path to hash, and one from path to the sentence that says why a file
        cannot be read.
    """
    keys = {
        p: f"{p}|{Path(p).stat().st_size}|{Path(p).stat().st_mtime_ns}" for p in paths
    }
    where = cache_folder() / "hashes" / f"{fingerprint(sorted(map(str, paths)))}.json"
    known = json.loads(where.read_text()) if where.exists() else {}
    broken, progress = {}, Progress(title, len(paths))

    def remember():
        try:
            where.parent.mkdir(parents=True, exist_ok=True)
            _write(where, json.dumps(known).encode())
        except OSError:
            pass  # nowhere to remember: hash again next time

    def one(path):
        try:
            small = decode(path, SIDE + 1, "stretch")[:SIDE]
            known[keys[path]] = perceptual_hash(small / np.float32(255))
        except ValueError as error:
            broken[path] = str(error)
        progress.add(1)

    missing = [path for path in paths if keys[path] not in known]
    progress.add(len(paths) - len(missing))
    with ThreadPoolExecutor(4) as pool:
        for start in range(0, len(missing), AT_ONCE):  # a kill costs so many at most
            list(pool.map(one, missing[start : start + AT_ONCE]))
            remember()
    progress.close()
    return {p: known[keys[p]] for p in paths if p not in broken}, broken


def find_duplicates(hashes):
    """Returns the groups of paths whose hashes differ in a few bits at most."""
    paths = list(hashes)
    if not paths:
        return []
    bits = np.array([np.frombuffer(bytes.fromhex(hashes[p]), "<u8") for p in paths])
    group = np.arange(len(paths))
    for place in range(len(paths) - 1):
        apart = np.bitwise_count(bits[place + 1 :] ^ bits[place]).sum(1)
        for other in place + 1 + np.flatnonzero(apart <= MOST_BITS_APART):
            group[group == group[other]] = group[place]
    found = {}
    for path, number in zip(paths, group.tolist(), strict=True):
        found.setdefault(number, []).append(path)
    return [members for members in found.values() if len(members) > 1]


def drop_duplicates(records, faults):
    """Keeps the first of each group of copies; broken files are faults."""
    hashes, broken = hash_files(records.paths)
    report_broken(records, broken, faults)
    extra = {copy for group in find_duplicates(hashes) for copy in group[1:]}
    keep = [p not in extra and p not in broken for p in records.paths]
    return choose(records, np.flatnonzero(keep))


def report_broken(records, broken, faults):
    """Makes a fault of every file that cannot be read, with the row that names it."""
    for place, path in enumerate(records.paths):
        if path in broken:
            where = f"{records.where[place]}: the image " if records.where else ""
            faults.add(
                "broken image",
                f"{where}{path} cannot be used. {broken[path]} Expected a whole image; "
                "fetch the file again or remove it",
            )
