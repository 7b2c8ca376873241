"""Damaged files of a trial: found, named, and set aside."""

import os
import sys
import zipfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from medattn.study.files import (
    file_sha256,
    read_json_lines,
    read_object,
    set_aside,
)

# What a finished trial writes into `done.json`, and of which type.
DONE: dict[str, type | tuple[type, ...]] = {
    "classes": list,
    "epochs": (int, float),
    "images": dict,
    "positives": int,
    "sha256": dict,
    "state": str,
    "test": dict,
    "validation": dict,
}
FAILED: dict[str, type | tuple[type, ...]] = {"reason": str, "state": str}
CONFIG: dict[str, type | tuple[type, ...]] = {"dataset": str, "model": str}


def find_damage(trial_folder: str | Path) -> dict[str, str]:
    """Finds the damaged files of a trial; writes nothing.

    The hashes in `done.json` are compared with the files. A file that has not changed
    since it was hashed in this process is not read again.

    Args:
        trial_folder: The trial's folder.

    Returns:
        A dict from the name of a file to what is wrong with it.
    """
    folder = Path(trial_folder)
    found = {}
    for name, keys in (("config.json", CONFIG), ("failed.json", FAILED)):
        if (folder / name).exists() and not _has(read_object(folder / name), keys):
            found[name] = "is not what a trial writes"
    if (folder / "failed.json").exists():
        return found
    if (folder / "done.json").exists():
        if not (folder / "config.json").exists():
            found["config.json"] = "is missing"
        found |= _compare(folder)
    elif (folder / "history.jsonl").exists():
        try:
            lines = read_json_lines(folder / "history.jsonl")
        except ValueError:
            lines = [None]
        if not all(isinstance(line, dict) for line in lines):
            found["history.jsonl"] = "is not what a trial writes"
    for path in sorted(folder.glob("maps-*.npz")):
        if not _call_cached(_is_whole, path):
            found[path.name] = "cannot be read"
    return found


def set_aside_damage(
    trial_folder: str | Path, *, warn: Callable[[str], Any] | None = None
) -> None:
    """Renames the damaged files of a trial, so that it is done again.

    With them go `done.json` and the maps, which speak of weights that are not there;
    nothing is deleted. The caller holds the lease.

    Args:
        trial_folder: The trial's folder.
        warn: Called with one sentence; writes to the standard error unless given.
    """
    folder = Path(trial_folder)
    damage = find_damage(folder)
    if not damage:
        return
    maps = {path.name for path in folder.glob("maps-*.npz")}
    only_maps = maps.issuperset(damage)
    aside = dict.fromkeys(damage)
    if not only_maps:
        aside = dict.fromkeys(["done.json", *damage, *sorted(maps)])
    names = [name for name in aside if (folder / name).exists()]
    for name in names:
        set_aside(folder / name)
    again = "its maps are scored" if only_maps else "it is done"
    (warn or _to_stderr)(
        f"{damage_sentence(folder.name, damage)}; {', '.join(names)} "
        f"{'is' if len(names) == 1 else 'are'} kept as *.damaged, and {again} again."
    )


def damage_sentence(name: str, damage: Mapping[str, str]) -> str:
    """Writes what is damaged of a trial, without the full stop.

    Args:
        name: Of the trial.
        damage: Of `find_damage`.
    """
    faults = ", ".join(f"{file} {fault}" for file, fault in damage.items())
    return f"Trial {name} is damaged: {faults}"


def _compare(folder: Path) -> dict[str, str]:
    """Compares the files of a finished trial with the hashes in `done.json`."""
    done = read_object(folder / "done.json")
    if done is None or not _has(done, DONE) or done["state"] != "done":
        return {"done.json": "is not what a finished trial writes"}
    found = {}
    for name, expected in done["sha256"].items():
        path = folder / name
        if not path.exists():
            found[name] = "is missing"
        elif path.stat().st_size == 0:
            found[name] = "is empty"
        elif _call_cached(file_sha256, path) != expected:
            found[name] = "is not the file whose SHA-256 is in done.json"
    return found


def _has(
    content: Mapping[str, Any] | None, keys: Mapping[str, type | tuple[type, ...]]
) -> bool:
    if content is None:
        return False
    return all(isinstance(content.get(key), kind) for key, kind in keys.items())


def _is_whole(path: Path) -> bool:
    """Reads an .npz once; a part of it may be damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, EOFError, OSError):
        return False


def _call_cached(function: Callable[[Path], Any], path: Path) -> Any:
    """Calls a function of a file once as long as the file does not change."""
    found = os.stat(path)
    version = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    return _call(function, path, version)


@lru_cache(maxsize=100_000)
def _call(function: Callable[[Path], Any], path: Path, version: object) -> Any:
    return function(path)


def _to_stderr(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
