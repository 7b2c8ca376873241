"""Splits into training, validation and test: by patient, or as in the study."""

import numpy as np

FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}
SEED = 2022


def split_by_patient(
    labels: np.ndarray, patients: np.ndarray | None = None
) -> np.ndarray:
    """Assigns every image to a split, all images of a patient to the same.

    Patients are shuffled class by class (a patient's class is the highest among the
    images) and divided 70 : 10 : 20.

    Args:
        labels: `(images,)`, integers.
        patients: `(images,)` names, or None where each image is its own patient.

    Returns:
        Names of splits, `(images,)`.
    """
    labels = np.asarray(labels)
    if labels.ndim > 1:
        labels = labels.any(1).astype(int)
    unit = np.arange(len(labels))
    if patients is not None:
        _, unit = np.unique(np.asarray(patients).astype(str), return_inverse=True)
    classes = np.full(unit.max() + 1, labels.min())
    np.maximum.at(classes, unit, labels)
    splits = np.empty(len(classes), object)
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        order = np.random.default_rng([SEED, int(label)]).permutation(members)
        ends = np.rint(np.cumsum(list(FRACTIONS.values())) * len(order)).astype(int)
        for name, part in zip(FRACTIONS, np.split(order, ends[:-1]), strict=True):
            splits[part] = name
    return splits[unit].astype(str)


def study_split_by_image(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The study's split of APTOS2019: stratified by label, images one by one.

    Returns:
        Positions in the study's order, `(images,)`, on which its regimes depend; and
        names of splits, `(images,)`, in the order of `labels`.
    """
    from sklearn.model_selection import train_test_split

    positions = np.arange(len(labels))
    rest, test = train_test_split(
        positions, train_size=0.85, stratify=labels, random_state=42
    )
    train, validation = train_test_split(
        rest, train_size=0.75, stratify=labels[rest], random_state=42
    )
    order = np.concatenate([train, validation, test])
    return order, _split_names(len(labels), train, validation, test)


def study_split_by_patient(patients: np.ndarray) -> np.ndarray:
    """The study's split of ISIC2020: by patient, whatever the labels."""
    from sklearn.model_selection import train_test_split

    everyone = np.unique(patients)
    rest, test = train_test_split(everyone, test_size=0.20, random_state=42)
    train, validation = train_test_split(rest, test_size=0.25, random_state=42)
    positions = (
        np.flatnonzero(np.isin(patients, part)) for part in (train, validation, test)
    )
    return _split_names(len(patients), *positions)


def _split_names(
    n: int, train: np.ndarray, validation: np.ndarray, test: np.ndarray
) -> np.ndarray:
    splits = np.empty(n, "<U10")
    splits[train], splits[validation], splits[test] = "train", "validation", "test"
    return splits
