"""Who is trained on, who watches, who is tested: by patient, or as the study did."""

import numpy as np

SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}
SEED = 2022


def split_by_patient(labels, patients=None):
    """Assigns every image to a split, all images of a patient to the same.

    Patients are shuffled class by class (a patient's class is the highest among the
    images) and dealt out 70 : 10 : 20.

    Args:
        labels: `(images,)`, integers.
        patients: `(images,)` names, or None where each image stands alone.

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
        ends = np.rint(np.cumsum(list(SHARES.values())) * len(order)).astype(int)
        for name, part in zip(SHARES, np.split(order, ends[:-1]), strict=True):
            splits[part] = name
    return splits[unit].astype(str)


def study_by_image(labels):
    """The study's split of APTOS2019: stratified by label, images one by one.

    Returns:
        Places in the order in which the study had them, `(images,)`, on which its
        regimes hang; and names of splits, `(images,)`, in the order of `labels`.
    """
    from sklearn.model_selection import train_test_split

    places = np.arange(len(labels))
    rest, test = train_test_split(
        places, train_size=0.85, stratify=labels, random_state=42
    )
    train, validation = train_test_split(
        rest, train_size=0.75, stratify=labels[rest], random_state=42
    )
    order = np.concatenate([train, validation, test])
    return order, _named(len(labels), train, validation, test)


def study_by_patient(patients):
    """The study's split of ISIC2020: by patient, whatever the labels."""
    from sklearn.model_selection import train_test_split

    everyone = np.unique(patients)
    rest, test = train_test_split(everyone, test_size=0.20, random_state=42)
    train, validation = train_test_split(rest, test_size=0.25, random_state=42)
    places = (np.flatnonzero(np.isin(patients, p)) for p in (train, validation, test))
    return _named(len(patients), *places)


def _named(n, train, validation, test):
    splits = np.empty(n, "<U10")
    splits[train], splits[validation], splits[test] = "train", "validation", "test"
    return splits
