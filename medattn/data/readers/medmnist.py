"""Reads four sets of MedMNIST+ from their published npz files."""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from medattn.data.cache import cache_folder
from medattn.data.cards import DatasetCard
from medattn.data.readers.tables import Faults, Records

OPTIONS = ("task",)
PROTOCOLS = ("default",)
PARTS = {"train": "train", "val": "validation", "test": "test"}
# Class 1 of the study's task, from the published labels.
BINARY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "retinamnist": lambda labels: labels[:, 0] > 0,
    "dermamnist": lambda labels: labels[:, 0] == 4,
    "pneumoniamnist": lambda labels: labels[:, 0] == 1,
    "chestmnist": lambda labels: labels[:, 2] == 1,
}


def read(
    card: DatasetCard,
    root: str | Path | None,
    faults: Faults,
    *,
    protocol: str,
    size: int,
    task: str = "binary",
) -> Records:
    """Reads the three parts of a file; the patients are unknown.

    Args:
        card: The data set's card.
        root: Folder of the npz files; None fetches the file once from Zenodo.
        faults: A `Faults`.
        protocol: Only the official split is known.
        size: 28, 64, 128 or 224.
        task: `"binary"` for the study's task, `"as_is"` for the published labels.
    """
    if task not in ("binary", "as_is"):
        raise ValueError(
            f"Unknown task. Expected 'binary' or 'as_is'. Received: task={task!r}"
        )
    if size not in card.files:
        raise ValueError(
            f"{card.name} is published in {sorted(card.files)} pixels. Expected one of "
            f"these. Received: size={size}"
        )
    path = fetch(card, size, root)
    parts = _open(path)
    images = np.concatenate([parts[f"{part}_images"] for part in PARTS])
    if images.ndim == 3:
        images = np.repeat(images[..., None], 3, -1)
    labels = np.concatenate([parts[f"{part}_labels"] for part in PARTS])
    if task == "binary":
        labels = BINARY[card.name](labels).astype(np.int64)
    elif labels.shape[1] == 1:
        labels = labels[:, 0].astype(np.int64)
    counts = [len(parts[f"{part}_labels"]) for part in PARTS]
    splits = np.repeat(list(PARTS.values()), counts)
    ids = [
        f"{card.name}-{split}-{index:06d}"
        for split, count in zip(PARTS.values(), counts, strict=True)
        for index in range(count)
    ]
    return Records(card, ids, labels, None, None, images, splits)


def fetch(card: DatasetCard, size: int, root: str | Path | None = None) -> Path:
    """Returns the path of the published file, whose MD5 the card holds."""
    known = card.files[size]
    name = Path(known["url"].split("?")[0]).name
    if root is None:
        return _download(name, known["url"], known["md5"])
    path = Path(root) / name
    if not path.is_file():
        raise ValueError(
            f"There is no file {str(path)!r}. Expected {known['url']} saved there, or "
            "root=None to fetch it"
        )
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != known["md5"]:
        raise ValueError(
            f"{path} is not the published file. Expected MD5 {known['md5']}; fetch "
            f"{known['url']} again. Received: MD5 {found}"
        )
    return path


def _download(name: str, url: str, md5: str) -> Path:
    """Fetches a file into the cache, unless it is there with the right MD5."""
    import keras
    from filelock import FileLock

    folder = cache_folder() / "medmnist"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{folder / name}.lock"):  # one process at a time
            path = keras.utils.get_file(
                name,
                url,
                file_hash=md5,
                hash_algorithm="md5",
                cache_dir=str(cache_folder()),
                cache_subdir="medmnist",
            )
    except Exception as error:  # Keras raises a bare Exception where a URL fails
        raise ValueError(
            f"{url} could not be fetched ({error}). Expected a file with MD5 {md5}; "
            f"try again, or save it as {name} and give root=its folder"
        ) from error
    return Path(path)


def _open(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} cannot be read ({error}). Expected a complete npz; fetch it again"
        ) from error
