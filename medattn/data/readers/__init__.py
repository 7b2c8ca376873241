"""Reads real data sets: from their files to images, labels, patients and splits."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from medattn.data.dataset import Dataset, find_card
from medattn.data.images import Fit
from medattn.data.readers import (
    aptos2019,
    folder,
    isic2020,
    medmnist,
    mimic_cxr_jpg,
)
from medattn.data.readers.tables import Faults, Records
from medattn.data.sources import ArraySource, FileSource, ImageSource
from medattn.data.splits import split_by_patient

READERS: dict[str, ModuleType] = {
    "aptos2019": aptos2019,
    "chestmnist": medmnist,
    "dermamnist": medmnist,
    "folder": folder,
    "isic2020": isic2020,
    "mimic_cxr_jpg": mimic_cxr_jpg,
    "pneumoniamnist": medmnist,
    "retinamnist": medmnist,
}
SPLITS = ("train", "validation", "test")


def load_real(
    name: str,
    *,
    split: str = "train",
    size: int = 64,
    root: str | Path | None = None,
    protocol: str = "default",
    **options: Any,
) -> Dataset:
    """Loads a whole split of a data set from its files; see `load_dataset`.

    Args:
        name: A name of `READERS`.
        split: `"train"`, `"validation"` or `"test"`.
        size: Height and width of the images in pixels.
        root: Folder that holds the files in their official layout.
        protocol: `"default"`: patients in one split only, duplicates left out;
            `"study"`: the splits of the study, with their faults.
        options: Of the reader.

    Returns:
        A `Dataset`.
    """
    if split not in SPLITS:
        raise ValueError(
            f"Unknown split {split!r}. Expected one of {list(SPLITS)}. "
            f"Received: split={split!r}"
        )
    records = read_records(name, root, protocol=protocol, size=size, **options)
    chosen = np.flatnonzero(records.splits == split)
    if not len(chosen):
        raise ValueError(
            f"{name!r} has no images in its {split} split. Expected some. "
            f"Received: 0 of {len(records.ids)}"
        )
    source: ImageSource
    if records.images is not None:
        source = ArraySource(records.images[chosen])
    else:
        fit: Fit = "stretch" if protocol == "study" else "pad"
        source = FileSource(
            records.paths or (), size, fit=fit, chosen=chosen, rows=records.rows
        )
    return Dataset(
        records.card,
        split,
        [records.ids[i] for i in chosen],
        records.labels[chosen],
        source,
        patients=None if records.patients is None else records.patients[chosen],
    )


def read_records(
    name: str,
    root: str | Path | None,
    *,
    protocol: str = "default",
    size: int = 64,
    faults: Faults | None = None,
    **options: Any,
) -> Records:
    """Reads the records of all images, each with its split.

    Args:
        name: A name of `READERS`.
        root: Folder of the files.
        protocol: As in `load_real`.
        size: Of the images, where the files come in several.
        faults: Collects the faults; by default the first fault raises.
        options: Of the reader.

    Returns:
        `Records` with their splits, without duplicates under the default protocol.
    """
    card, reader = find_card(name), READERS[name]
    check_protocol(name, protocol)
    if root is None and reader is not medmnist:
        raise ValueError(
            f"{name!r} cannot be fetched for you. Expected root=the folder of its "
            f"files. {card.access['steps']} Received: root=None"
        )
    faults = faults or Faults()
    records = reader.read(card, root, faults, protocol=protocol, size=size, **options)
    if records.splits is None:
        splits = split_by_patient(records.labels, records.patients)
        records = records._replace(splits=splits)
    return records


def check_protocol(name: str, protocol: str) -> None:
    """Refuses a protocol that the reader of a data set does not have."""
    known = list(READERS[name].PROTOCOLS)
    if protocol not in known:
        raise ValueError(
            f"{name!r} has no protocol {protocol!r}. Expected one of {known}. "
            f"Received: protocol={protocol!r}"
        )
