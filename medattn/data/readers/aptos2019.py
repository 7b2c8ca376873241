"""Reads APTOS2019 from Kaggle's folder: train.csv, train_images/{id_code}.png."""

from pathlib import Path

import numpy as np

from medattn.data.cards import DatasetCard
from medattn.data.duplicates import drop_duplicates
from medattn.data.readers.tables import (
    Faults,
    Records,
    count_classes,
    find_file,
    known_values,
    name_rows,
    present,
    read_table,
    require_classes,
    select,
)
from medattn.data.splits import study_split_by_image

OPTIONS = ("duplicates",)
PROTOCOLS = ("default", "study")


def read(
    card: DatasetCard,
    root: str | Path,
    faults: Faults,
    *,
    protocol: str,
    size: int,
    duplicates: str | None = None,
) -> Records:
    """Reads all labelled photographs; class 1 is any grade above 0.

    Args:
        card: The data set's card.
        root: Folder with `train.csv` and `train_images`.
        faults: A `Faults`.
        protocol: `"default"` leaves out copies of an image, found by their perceptual
            hash; `"study"` keeps them, as the study did.
        size: Not used.
        duplicates: `"drop"` or `"keep"`, instead of the protocol's.
    """
    if duplicates not in (None, "drop", "keep"):
        raise ValueError(
            "Unknown treatment of duplicates. Expected 'drop' or 'keep'. "
            f"Received: duplicates={duplicates!r}"
        )
    path = faults.attempt(find_file, root, ["train.csv"], "table", card)
    images = faults.attempt(find_file, root, ["train_images"], "folder of images", card)
    faults.require(path)
    table = faults.attempt(read_table, path, ["id_code", "diagnosis"])
    faults.require(table, images)
    totals = {"rows": len(table)}
    table = table[known_values(table, "diagnosis", "01234", path, faults)]
    totals |= count_classes(card, table["diagnosis"] != "0")
    paths = [f"{images}/{name}.png" for name in table["id_code"]]
    good = present(paths, path, list(table.index), faults)
    table = table[good]
    paths = [one for one, there in zip(paths, good, strict=True) if there]
    labels = (table["diagnosis"].astype(int).to_numpy() > 0).astype(np.int64)
    require_classes(labels, card, faults)
    records = Records(
        card,
        list(table["id_code"]),
        labels,
        None,
        paths,
        rows=name_rows(path, table.index),
        totals=totals,
    )
    if (duplicates or ("drop" if protocol == "default" else "keep")) == "drop":
        records = drop_duplicates(records, paths, faults)
    if protocol == "study":
        order, splits = study_split_by_image(records.labels)
        records = select(records._replace(splits=splits), order)
    return records
