"""ISIC2020 from Kaggle's folder or from the archive's own files."""

import numpy as np

from medattn.data.readers.tables import (
    Records,
    find_file,
    known_values,
    present,
    read_table,
    two_classes,
)
from medattn.data.splits import study_by_patient

OPTIONS = ()
PROTOCOLS = ("default", "study")
TABLES = (
    "train.csv",
    "ISIC_2020_Training_GroundTruth_v2.csv",
    "ISIC_2020_Training_GroundTruth.csv",
)
FOLDERS = ("jpeg/train", "ISIC_2020_Training_JPEG/train", "train")
DUPLICATES = "ISIC_2020_Training_Duplicates.csv"


def read(card, root, faults, *, protocol, size):
    """Reads all labelled images; class 1 is melanoma.

    The official list of duplicates is applied under the default protocol where it lies
    beside the table. An image without `patient_id` counts as a patient of its own.
    """
    path = find_file(root, TABLES, "table", card)
    folder = find_file(root, FOLDERS, "folder of images", card)
    table = read_table(path, ["image_name", "patient_id", "target"])
    table = table[known_values(table, "target", "01", path, faults)]
    copies = path.parent / DUPLICATES
    if protocol == "default" and copies.exists():
        second = read_table(copies, ["image_name_1", "image_name_2"])["image_name_2"]
        table = table[~table["image_name"].isin(set(second))]
    paths = [folder / f"{name}.jpg" for name in table["image_name"]]
    good = present(paths, path, list(table.index), faults)
    table = table[good]
    paths = [one for one, there in zip(paths, good, strict=True) if there]
    labels = table["target"].astype(np.int64).to_numpy()
    two_classes(labels, card, faults)
    alone = "alone-" + table["image_name"]
    patients = table["patient_id"].where(table["patient_id"].str.strip() != "", alone)
    patients = patients.to_numpy(str)
    splits = study_by_patient(patients) if protocol == "study" else None
    return Records(
        card, list(table["image_name"]), labels, patients, paths, None, splits
    )
