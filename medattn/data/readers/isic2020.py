"""Reads ISIC2020 from Kaggle's folder or from the archive's own files."""

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
)
from medattn.data.splits import study_split_by_patient

OPTIONS = ("duplicates",)
PROTOCOLS = ("default", "study")
TABLES = (
    "train.csv",
    "ISIC_2020_Training_GroundTruth_v2.csv",
    "ISIC_2020_Training_GroundTruth.csv",
)
FOLDERS = ("jpeg/train", "ISIC_2020_Training_JPEG/train", "train")
DUPLICATES = "ISIC_2020_Training_Duplicates.csv"
TREATMENTS = ("list", "drop", "keep")


def read(
    card: DatasetCard,
    root: str | Path,
    faults: Faults,
    *,
    protocol: str,
    size: int,
    duplicates: str | None = None,
) -> Records:
    """Reads all labelled images; class 1 is melanoma.

    An image without `patient_id` counts as a patient of its own.

    Args:
        card: The data set's card.
        root: Folder with the table and the images.
        faults: A `Faults`.
        protocol: `"default"` leaves out the copies of the official list; `"study"`
            keeps them, as the study did.
        size: Not used.
        duplicates: Instead of the protocol's: `"list"` leaves out the second of each
            pair of the official list, where it lies beside the table; `"drop"` also
            copies found by a hash, which decodes every image once; `"keep"` nothing.
    """
    if duplicates not in (None, *TREATMENTS):
        raise ValueError(
            f"Unknown treatment of duplicates. Expected one of {list(TREATMENTS)}. "
            f"Received: duplicates={duplicates!r}"
        )
    duplicates = duplicates or ("list" if protocol == "default" else "keep")
    path = faults.attempt(find_file, root, TABLES, "table", card)
    folder = faults.attempt(find_file, root, FOLDERS, "folder of images", card)
    faults.require(path)
    columns = ["image_name", "patient_id", "target"]
    table = faults.attempt(read_table, path, columns)
    faults.require(table, folder)
    named = table["patient_id"][table["patient_id"].str.strip() != ""]
    totals = {"rows": len(table), "patients": named.nunique()}
    table = table[known_values(table, "target", "01", path, faults)]
    totals |= count_classes(card, table["target"] == "1")
    copies = path.parent / DUPLICATES
    if duplicates != "keep" and copies.exists():
        pairs = faults.attempt(read_table, copies, ["image_name_1", "image_name_2"])
        second = [] if pairs is None else pairs["image_name_2"]
        table = table[~table["image_name"].isin(set(second))]
    paths = [f"{folder}/{name}.jpg" for name in table["image_name"]]
    good = present(paths, path, list(table.index), faults)
    table = table[good]
    paths = [one for one, there in zip(paths, good, strict=True) if there]
    labels = table["target"].astype(np.int64).to_numpy()
    require_classes(labels, card, faults)
    alone = "alone-" + table["image_name"]
    patients = table["patient_id"].where(table["patient_id"].str.strip() != "", alone)
    patients = patients.to_numpy(str)
    splits = study_split_by_patient(patients) if protocol == "study" else None
    records = Records(
        card,
        list(table["image_name"]),
        labels,
        patients,
        paths,
        None,
        splits,
        rows=name_rows(path, table.index),
        totals=totals,
    )
    return drop_duplicates(records, paths, faults) if duplicates == "drop" else records
