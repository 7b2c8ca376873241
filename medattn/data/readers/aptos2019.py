"""APTOS2019 from Kaggle's folder: train.csv, train_images/{id_code}.png."""

import numpy as np

from medattn.data.duplicates import drop_duplicates
from medattn.data.readers.tables import (
    Records,
    find_file,
    known_values,
    present,
    read_table,
    two_classes,
)
from medattn.data.splits import study_by_image

OPTIONS = ("duplicates",)
PROTOCOLS = ("default", "study")


def read(card, root, faults, *, protocol, size, duplicates=None):
    """Reads all labelled photographs; class 1 is any grade above 0.

    Args:
        card: The data set's card.
        root: Folder with `train.csv` and `train_images`.
        faults: A `Faults`.
        protocol: `"default"` leaves out copies of an image, found by their perceptual
            hash; `"study"` keeps them, as the study did.
        size: Not used.
        duplicates: `"drop"` or `"keep"`, whatever the protocol says.
    """
    path = find_file(root, ["train.csv"], "table", card)
    images = find_file(root, ["train_images"], "folder of images", card)
    table = read_table(path, ["id_code", "diagnosis"])
    table = table[known_values(table, "diagnosis", "01234", path, faults)]
    paths = [images / f"{name}.png" for name in table["id_code"]]
    good = present(paths, path, list(table.index), faults)
    table = table[good]
    paths = [one for one, there in zip(paths, good, strict=True) if there]
    labels = (table["diagnosis"].astype(int).to_numpy() > 0).astype(np.int64)
    two_classes(labels, card, faults)
    records = Records(card, list(table["id_code"]), labels, None, paths, None, None)
    drop = (duplicates or ("drop" if protocol == "default" else "keep")) == "drop"
    if drop:
        records = drop_duplicates(records, faults)
    if protocol == "study":
        records = records._replace(splits=study_by_image(records.labels))
    return records
