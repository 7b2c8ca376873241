"""Duplicates of an image, found by a perceptual hash."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from medattn.data.cache import Progress, cache_folder, fingerprint, write_file
from medattn.data.readers.tables import Faults, Records, select
from medattn.data.sources import decode

SIDE = 16
SAVE_EVERY = 256  # images
MAXIMUM_DISTANCE = 8  # bits of 256; different photographs differ in about 100

ImagePath = str | Path


def perceptual_hash(image: np.ndarray) -> str:
    """Hashes to 256 bits where an image gets brighter from left to right.

    Args:
        image: `(16, 17, channels)` or larger multiples thereof, float32; it is averaged
            down.

    Returns:
        64 hexadecimal digits; re-encoded or resized copies mostly have the same.
    """
    grey = np.asarray(image, np.float32).mean(-1)
    return np.packbits(grey[:, 1:] > grey[:, :-1] + 1 / 512).tobytes().hex()


def hash_files(
    paths: Sequence[ImagePath], *, title: str = "looking for copies"
) -> tuple[dict[ImagePath, str], dict[ImagePath, str]]:
    """Hashes image files, and keeps the hashes in the cache between runs.

    Returns:
        A dict from path to hash, and one from path to the reason why a file cannot be
        read.
    """
    keys = {
        p: f"{p}|{Path(p).stat().st_size}|{Path(p).stat().st_mtime_ns}" for p in paths
    }
    cache_file = (
        cache_folder() / "hashes" / f"{fingerprint(sorted(map(str, paths)))}.json"
    )
    known = json.loads(cache_file.read_text()) if cache_file.exists() else {}
    broken: dict[ImagePath, str] = {}
    progress = Progress(title, len(paths))

    def save() -> None:
        try:
            cache_file.parent.mkdir(parents=True, exist_ok=True)
            write_file(cache_file, json.dumps(known).encode())
        except OSError:
            pass  # the cache cannot be written: hash again next time

    def hash_file(path: ImagePath) -> None:
        try:
            small = decode(path, SIDE + 1, "stretch")[:SIDE]
            known[keys[path]] = perceptual_hash(small / np.float32(255))
        except ValueError as error:
            broken[path] = str(error)
        progress.add(1)

    missing = [path for path in paths if keys[path] not in known]
    progress.add(len(paths) - len(missing))
    with ThreadPoolExecutor(4) as pool:
        for start in range(0, len(missing), SAVE_EVERY):  # a kill loses at most so many
            list(pool.map(hash_file, missing[start : start + SAVE_EVERY]))
            save()
    progress.close()
    return {p: known[keys[p]] for p in paths if p not in broken}, broken


def find_duplicates(hashes: Mapping[ImagePath, str]) -> list[list[ImagePath]]:
    """Returns the groups of paths whose hashes differ in at most 8 bits."""
    paths = list(hashes)
    if not paths:
        return []
    bits = np.array([np.frombuffer(bytes.fromhex(hashes[p]), "<u8") for p in paths])
    group = np.arange(len(paths))
    for index in range(len(paths) - 1):
        distance = np.bitwise_count(bits[index + 1 :] ^ bits[index]).sum(1)
        for other in index + 1 + np.flatnonzero(distance <= MAXIMUM_DISTANCE):
            group[group == group[other]] = group[index]
    found: dict[int, list[ImagePath]] = {}
    for path, number in zip(paths, group.tolist(), strict=True):
        found.setdefault(number, []).append(path)
    return [members for members in found.values() if len(members) > 1]


def drop_duplicates(
    records: Records, paths: Sequence[ImagePath], faults: Faults
) -> Records:
    """Keeps the first of each group of copies; broken files are faults."""
    hashes, broken = hash_files(paths)
    report_broken(records, broken, faults)
    extra = {copy for group in find_duplicates(hashes) for copy in group[1:]}
    keep = [p not in extra and p not in broken for p in paths]
    return select(records, np.flatnonzero(keep))


def report_broken(
    records: Records, broken: Mapping[ImagePath, str], faults: Faults
) -> None:
    """Reports every file that cannot be read, with the row that names it."""
    for index, path in enumerate(records.paths or ()):
        if path in broken:
            row = f"{records.rows[index]}: the image " if records.rows else ""
            faults.add(
                "broken image",
                f"{row}{path} cannot be used. {broken[path]} Expected a complete "
                "image; fetch the file again or remove it",
            )
