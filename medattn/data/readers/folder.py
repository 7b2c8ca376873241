"""Reads your own images: one folder a class, or a table with labels and patients."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from medattn.data.cards import DatasetCard
from medattn.data.readers.tables import (
    Faults,
    Records,
    find_file,
    name_rows,
    present,
    read_table,
)

OPTIONS = ("table",)
PROTOCOLS = ("default",)
SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".ppm"}


def read(
    card: DatasetCard,
    root: str | Path,
    faults: Faults,
    *,
    protocol: str,
    size: int,
    table: str | None = None,
) -> Records:
    """Reads a folder of images.

    Args:
        card: The card of folders; the classes found replace its own.
        root: The folder.
        faults: A `Faults`.
        protocol: Only the default one.
        size: Not used.
        table: Name of a CSV file in it with the columns `path`, `label` and, where
            known, `patient` and `split` (train, validation, test); without it,
            `labels.csv` if it is there, else each folder is a class.
    """
    root = Path(root)
    find_file(root, [""], "folder", card)
    if table is None and (root / "labels.csv").exists():
        table = "labels.csv"
    if table is not None:
        return _from_table(card, root, root / table, faults)
    classes = sorted(path.name for path in root.iterdir() if path.is_dir())
    if len(classes) < 2:
        raise ValueError(
            f"{str(root)!r} holds no classes. Expected two folders or more with images "
            f"in them, or a labels.csv. Received: folders {classes}"
        )
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(
            path for path in (root / name).rglob("*") if path.suffix.lower() in SUFFIXES
        )
        if not found:
            faults.add(
                "empty class",
                f"{root / name} holds no image. Expected files ending in one of "
                f"{sorted(SUFFIXES)}; fill or remove the folder",
            )
        paths += found
        labels += [label] * len(found)
    ids = [str(path.relative_to(root)) for path in paths]
    card = replace(card, classes=tuple(classes))
    return Records(card, ids, np.array(labels, np.int64), None, paths)


def _from_table(card: DatasetCard, root: Path, path: Path, faults: Faults) -> Records:
    if not path.exists():
        raise ValueError(f"There is no table {str(path)!r}. Expected a CSV file")
    table = read_table(path, ["path", "label"])
    rows, blank = len(table), table["label"].str.strip() == ""
    for row in table.index[blank]:
        faults.add(
            "unknown label",
            f"{path}, row {row + 2} has no label. Expected the name of a class; "
            "fill in or remove the row",
        )
    table = table[~blank]
    splits = None
    if "split" in table.columns:
        known = table["split"].isin(["train", "validation", "test"])
        for row in table.index[~known]:
            faults.add(
                "unknown split",
                f"{path}, row {row + 2}: unknown split {table['split'][row]!r}. "
                "Expected train, validation or test",
            )
        table = table[known]
    paths = [root / name for name in table["path"]]
    good = present(paths, path, list(table.index), faults)
    table = table[good]
    paths = [one for one, there in zip(paths, good, strict=True) if there]
    classes, labels = np.unique(table["label"].to_numpy(str), return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{path} names too few classes. Expected two or more in the column label. "
            f"Received: {list(classes)}"
        )
    patients = table["patient"].to_numpy(str) if "patient" in table.columns else None
    if patients is not None:
        alone = np.array([f"alone-{name}" for name in table["path"]])
        patients = np.where(np.char.strip(patients) == "", alone, patients)
    if "split" in table.columns:
        splits = table["split"].to_numpy(str)
    card = replace(card, classes=tuple(classes))
    return Records(
        card,
        list(table["path"]),
        labels.astype(np.int64),
        patients,
        paths,
        None,
        splits,
        rows=name_rows(path, table.index),
        totals={"rows": rows},
    )
