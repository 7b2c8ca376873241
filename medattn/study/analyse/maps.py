"""How good the maps of a trained model are, one number an image and a measure."""

import numpy as np

from medattn.data import draw_images
from medattn.explain import evaluate_maps

IMAGES = 100  # positives of the test set that maps are drawn of, the first ones
# Fewer steps and samples than by default: there are hundreds of networks.
OPTIONS = {"steps": 16, "samples": 4, "seed": 0}
POSITIVE = 1  # the logit that is explained


def score_maps(model, name, test, *, artefacts=None):
    """Scores one analyzer's maps of one model, beside a random map and edges.

    Args:
        model: The trained `keras.Model`.
        name: Of `medattn.explain.list_analyzers()`.
        test: What `arrays()` of the test split gave: images, labels, masks.
        artefacts: Where a planted artefact lies, `(n, height, width)` like the masks
            of the first `IMAGES` positives, see `artefacts`; or None.

    Returns:
        A dict from each measure of `medattn.explain.evaluate_maps` to one number an
        image; those of the baselines are called `random_<measure>` and
        `edges_<measure>`.

    Raises:
        ValueError: If the analyzer cannot explain this model.
    """
    sick = positives(test.labels)
    table = evaluate_maps(
        model,
        test.images[sick],
        [name],
        neuron=POSITIVE,
        masks=test.masks[sick],
        artefacts=None if artefacts is None else artefacts(sick),
        **OPTIONS,
    )
    own, random, edges = table.values()
    scores = dict(own)
    for prefix, baseline in (("random", random), ("edges", edges)):
        scores |= {f"{prefix}_{key}": value for key, value in baseline.items()}
    return {key: np.asarray(value, np.float64) for key, value in scores.items()}


def positives(labels):
    """Finds the images whose maps are scored."""
    return np.flatnonzero(np.asarray(labels) == POSITIVE)[:IMAGES]


def artefacts(trial):
    """Makes a function from positions in the test split to masks of the artefact.

    Args:
        trial: A `Trial`.

    Returns:
        The function, or None if nothing was planted.
    """
    if trial.shortcut is None:
        return None

    def masks(where):
        drawn = draw_images(
            trial.dataset, where.tolist(), split="test", size=trial.size, shortcut=0.0
        )
        return drawn["artefact"]

    return masks
