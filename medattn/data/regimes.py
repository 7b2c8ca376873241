"""How much of the training data a model may see: nested, stratified subsets."""

import numpy as np

LEAST_OF_A_CLASS = 2


def take_regime(labels, regime, *, seed, patients=None, least=LEAST_OF_A_CLASS):
    """Picks a stratified share of a data set, the smaller inside the larger.

    Patients are shuffled once by the seed, class by class; a regime takes the first
    part of every class, each patient with all images. So 1% lies inside 10%, and 10%
    inside 50%, for the same seed. A patient belongs to the highest class among the
    images; without patients, each image is one.

    Args:
        labels: Class of each image, `(images,)`, integers.
        regime: Share to take, in (0, 1].
        seed: Which draw; another seed gives another subset.
        patients: Name of each image's patient, `(images,)`, or None.
        least: Fewest patients (images, without patients) of a class.

    Returns:
        Sorted positions of the images taken, `(taken,)`.

    Raises:
        ValueError: If the share is out of range, or leaves a class with too few.
    """
    labels = np.asarray(labels)
    if not 0 < regime <= 1:
        raise ValueError(
            "A regime is the share of the training data that is used. Expected "
            f"0 < regime <= 1, such as 0.1 for 10%. Received: regime={regime}"
        )
    unit, classes, word = np.arange(len(labels)), labels, "images"
    if patients is not None:
        _, unit = np.unique(np.asarray(patients).astype(str), return_inverse=True)
        classes, word = np.full(unit.max() + 1, labels.min()), "patients"
        np.maximum.at(classes, unit, labels)
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
