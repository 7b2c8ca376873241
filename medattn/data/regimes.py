"""Subsets of the training data: nested and stratified."""

from collections.abc import Sequence

import numpy as np

MINIMUM_PER_CLASS = 2
Labels = np.ndarray | Sequence[int]
Patients = np.ndarray | Sequence[str]


def take_regime(
    labels: Labels,
    regime: float,
    *,
    seed: int,
    patients: Patients | None = None,
    least: int = MINIMUM_PER_CLASS,
) -> np.ndarray:
    """Chooses a stratified fraction of a data set, the smaller inside the larger.

    Patients are shuffled once by the seed, class by class; a regime takes the first
    part of every class, each patient with all images. So 1% lies inside 10%, and 10%
    inside 50%, for the same seed. A patient belongs to the highest class among the
    images; without patients, each image is one.

    Args:
        labels: Class of each image, `(images,)`, integers.
        regime: Fraction to take, in (0, 1].
        seed: Another seed gives another subset.
        patients: Name of each image's patient, `(images,)`, or None.
        least: Minimum number of patients (images, without patients) of a class.

    Returns:
        Sorted positions of the images taken, `(taken,)`.

    Raises:
        ValueError: If the fraction is out of range, or leaves a class with too few.
    """
    _check(regime)
    unit, classes = _units(labels, patients)
    word = "images" if patients is None else "patients"
    taken = []
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        count = int(round(regime * len(members)))
        if count < least:
            raise ValueError(
                f"Too few {word} of class {label} are left to learn from. Expected at "
                f"least {least}, that is regime >= {least / len(members):.3g}. "
                f"Received: regime={regime}, which leaves {count} of {len(members)}"
            )
        order = np.random.default_rng([seed, int(label)]).permutation(members)
        taken.append(order[:count])
    if patients is None:
        return np.sort(np.concatenate(taken))
    return np.flatnonzero(np.isin(unit, np.concatenate(taken)))


def minimum_regime(
    labels: Labels, *, patients: Patients | None = None, least: int = MINIMUM_PER_CLASS
) -> float:
    """Returns the smallest fraction that leaves `least` of each class, at most 1."""
    _, classes = _units(labels, patients)
    counts = np.unique(classes, return_counts=True)[1]
    return min(1.0, least / counts.min())


def study_regime(
    labels: Labels, regime: float, *, least: int = MINIMUM_PER_CLASS
) -> np.ndarray:
    """Chooses the fraction that the study trained on: by image, with one seed.

    Args:
        labels: Class of each image, in the study's order.
        regime: As in `take_regime`; the study used 0.01, 0.1, 0.5 and 1.
        least: Minimum number of images of a class.

    Returns:
        Sorted positions of the images taken, `(taken,)`.
    """
    from sklearn.model_selection import train_test_split

    _check(regime)
    positions, labels = np.arange(len(labels)), np.asarray(labels)
    if regime == 1:
        return positions
    # scikit-learn refuses fewer images than classes; the check below says how many.
    some = int(regime * len(labels)) >= len(np.unique(labels))
    if some:
        positions, _ = train_test_split(
            positions, train_size=regime, stratify=labels, random_state=42
        )
    for label, members in zip(*np.unique(labels, return_counts=True), strict=True):
        count = int((labels[positions] == label).sum()) if some else 0
        if count < least:
            raise ValueError(
                f"Too few images of class {label} are left to learn from. Expected at "
                f"least {least}. Received: regime={regime}, which leaves {count} of "
                f"{members}"
            )
    return np.sort(positions)


def _check(regime: float) -> None:
    if not 0 < regime <= 1:
        raise ValueError(
            "A regime is the fraction of the training data that is used. Expected "
            f"0 < regime <= 1, such as 0.1 for 10%. Received: regime={regime}"
        )


def _units(labels: Labels, patients: Patients | None) -> tuple[np.ndarray, np.ndarray]:
    """Returns the patient of each image by number, and the class of each patient."""
    labels = np.asarray(labels)
    if patients is None:
        return np.arange(len(labels)), labels
    _, unit = np.unique(np.asarray(patients).astype(str), return_inverse=True)
    classes = np.full(unit.max() + 1, labels.min())
    np.maximum.at(classes, unit, labels)
    return unit, classes
