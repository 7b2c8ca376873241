"""How much of the training data a model may see: nested, stratified subsets."""

import numpy as np

LEAST_OF_A_CLASS = 2


def take_regime(labels, regime, *, seed):
    """Picks a stratified share of a data set, the smaller inside the larger.

    Each class is shuffled once by the seed; a regime takes the first part of every
    class. So 1% lies inside 10%, and 10% inside 50%, for the same seed.

    Args:
        labels: Class of each image, `(images,)`, integers.
        regime: Share to take, in (0, 1].
        seed: Which draw; another seed gives another subset.

    Returns:
        Sorted positions of the images taken, `(taken,)`.

    Raises:
        ValueError: If the share is out of range, or leaves a class with fewer than two
            images.
    """
    labels = np.asarray(labels)
    if not 0 < regime <= 1:
        raise ValueError(
            "A regime is the share of the training data that is used. Expected "
            f"0 < regime <= 1, such as 0.1 for 10%. Received: regime={regime}"
        )
    taken = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = int(round(regime * len(members)))
        if count < LEAST_OF_A_CLASS:
            raise ValueError(
                f"Too few images of class {label} are left to learn from. Expected at "
                f"least {LEAST_OF_A_CLASS}, that is regime >= "
                f"{LEAST_OF_A_CLASS / len(members):.3g}. Received: regime={regime}, "
                f"which leaves {count} of {len(members)}"
            )
        order = np.random.default_rng([seed, int(label)]).permutation(members)
        taken.append(order[:count])
    return np.sort(np.concatenate(taken))
