"""The fingerprint of the files of a data set."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from medattn.study.plan.code import is_synthetic
from medattn.study.plan.study import Study
from medattn.study.plan.trial import SHAPES, Trial, trial_id

SMALL = 64_000_000  # bytes; the files of a smaller data set are read completely
TABLES = (".csv", ".csv.gz", ".json", ".tsv", ".txt", ".xlsx")  # read in any case
NO_DATA = ("__MACOSX", "Thumbs.db", "desktop.ini")
CHUNK = 1 << 20  # bytes


def data_fingerprint(dataset: str, root: str | Path | None) -> str | None:
    """Hashes the files of a data set, once a process.

    Names and sizes of all files count, and so does the content of tables; that of all
    files if they are less than 64 MB together. Hidden files do not count, nor do the
    folders of studies.

    Args:
        dataset: Name of the data set.
        root: Folder of its files.

    Returns:
        16 hexadecimal digits; None for a synthetic data set, and without a folder.
    """
    if root is None or dataset == SHAPES or is_synthetic(dataset):
        return None
    if not Path(root).is_dir():
        return None
    return _hash_folder(os.path.realpath(root))


def study_fingerprints(
    study: Study, recorded: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Finds the fingerprints of the data sets of a study.

    Args:
        study: A `Study`.
        recorded: Those that a run of it recorded, for folders that are not here.

    Returns:
        A dict from data set to fingerprint; those without one are left out.
    """
    recorded = recorded or {}
    found = {
        name: data_fingerprint(name, study.root_of(name)) or recorded.get(name)
        for name in study.datasets
    }
    return {name: data for name, data in found.items() if data is not None}


def identify_trials(study: Study, fingerprints: Mapping[str, str]) -> dict[str, Trial]:
    """Names the trials of a study.

    Args:
        study: A `Study`.
        fingerprints: Of its data sets, see `study_fingerprints`.

    Returns:
        Its `Trial`s by id, in their order.
    """
    return {
        trial_id(trial, data=fingerprints.get(trial.dataset)): trial
        for trial in study.trials()
    }


@cache
def _hash_folder(root: str) -> str:
    files = sorted(_find_files(root))
    complete = sum(size for _, size in files) < SMALL
    digest = hashlib.sha256()
    for name, size in files:
        digest.update(f"{name}\n{size}\n".encode("utf-8", "surrogateescape"))
        read = complete or name.lower().endswith(TABLES)
        if read and size >= 0:  # a broken link has no content
            with open(os.path.join(root, name), "rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
    return digest.hexdigest()[:16]


def _find_files(root: str) -> Iterator[tuple[str, int]]:
    """Yields the relative path and the size of each file below a folder."""
    seen: set[str] = set()
    for folder, names, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if _holds_study(folder, names) and folder != root or real in seen:
            names.clear()
            continue
        seen.add(real)
        names[:] = sorted(filter(_is_data, names))
        for name in filter(_is_data, files):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, root).replace(os.sep, "/")
            yield relative, os.path.getsize(path) if os.path.exists(path) else -1


def _is_data(name: str) -> bool:
    return not name.startswith(".") and name not in NO_DATA


def _holds_study(folder: str, names: list[str]) -> bool:
    """Finds the folder of a study, or of studies: a run writes there, it reads not."""
    places = ["", *names]
    return any(os.path.exists(os.path.join(folder, p, "study.json")) for p in places)
