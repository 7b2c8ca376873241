"""From the files of a real data set to its images, labels, patients and splits."""

import numpy as np

from medattn.data.dataset import Dataset, find_card
from medattn.data.readers import (
    aptos2019,
    folder,
    isic2020,
    medmnist,
    mimic_cxr_jpg,
)
from medattn.data.readers.tables import Faults
from medattn.data.sources import ArraySource, FileSource
from medattn.data.splits import split_by_patient

READERS = {
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
    name, *, split="train", size=64, root=None, protocol="default", **options
):
    """Loads a whole split of a data set from its files; see `load_dataset`.

    Args:
        name: A name of `READERS`.
        split: `"train"`, `"validation"` or `"test"`.
        size: Height and width of the images in pixels.
        root: Folder that holds the files in their official layout.
        protocol: `"default"`: patients in one split only, duplicates left out;
            `"study"`: the splits of the study, faults included.
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
    if records.images is not None:
        source = ArraySource(records.images[chosen])
    else:
        fit = "stretch" if protocol == "study" else "pad"
        source = FileSource(
            records.paths, size, fit=fit, chosen=chosen, where=records.where
        )
    return Dataset(
        records.card,
        split,
        [records.ids[i] for i in chosen],
        records.labels[chosen],
        source,
        patients=None if records.patients is None else records.patients[chosen],
    )


def read_records(name, root, *, protocol="default", size=64, faults=None, **options):
    """Reads what the files say of all images, every one of them with its split.

    Args:
        name: A name of `READERS`.
        root: Folder of the files.
        protocol: As in `load_real`.
        size: Of the images, where the files come in several.
        faults: A `Faults` that collects; by default the first fault raises.
        options: Of the reader.

    Returns:
        A `Records`, `splits` filled, duplicates left out under the default protocol.
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


def check_protocol(name, protocol):
    """Refuses a protocol that the reader of a data set does not know."""
    known = list(READERS[name].PROTOCOLS)
    if protocol not in known:
        raise ValueError(
            f"{name!r} knows no protocol {protocol!r}. Expected one of {known}. "
            f"Received: protocol={protocol!r}"
        )
