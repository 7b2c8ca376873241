"""How good the maps of a trained model are, one number an image and a measure."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from medattn.data import draw_images
from medattn.explain import evaluate_maps
from medattn.study.plan.trial import Trial

if TYPE_CHECKING:
    import keras

IMAGES = 100  # positives of the test set whose maps are scored, the first ones
# Fewer steps and samples than by default: there are hundreds of networks.
OPTIONS: dict[str, Any] = {"steps": 16, "samples": 4, "seed": 0}
POSITIVE = 1  # the logit that is explained


def score_maps(
    model: "keras.Model",
    name: str,
    test: Any,
    *,
    artefacts: Callable[[np.ndarray], np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Scores one analyzer's maps of one model, beside a random map and edges.

    Args:
        model: The trained `keras.Model`.
        name: Of `medattn.explain.list_analyzers()`.
        test: What `arrays()` of the test split gave: images, labels, masks.
        artefacts: A function from indices in the test split to masks of the planted
            artefact, see `artefact_masks`; or None.

    Returns:
        A dict from each measure of `medattn.explain.evaluate_maps` to one number an
        image; those of the baselines are called `random_<measure>` and
        `edges_<measure>`.

    Raises:
        ValueError: If the analyzer cannot explain this model.
    """
    indices = explained_images(test.labels)
    table = evaluate_maps(
        model,
        test.images[indices],
        [name],
        neuron=POSITIVE,
        masks=test.masks[indices],
        artefacts=None if artefacts is None else artefacts(indices),
        **OPTIONS,
    )
    of_analyzer, random, edges = table.values()
    scores = dict(of_analyzer)
    for prefix, baseline in (("random", random), ("edges", edges)):
        scores |= {f"{prefix}_{key}": value for key, value in baseline.items()}
    return {key: np.asarray(value, np.float64) for key, value in scores.items()}


def explained_images(labels: np.ndarray) -> np.ndarray:
    """Returns the indices of the images whose maps are scored."""
    return np.flatnonzero(np.asarray(labels) == POSITIVE)[:IMAGES]


def artefact_masks(trial: Trial) -> Callable[[np.ndarray], np.ndarray] | None:
    """Makes a function from indices in the test split to masks of the artefact.

    Args:
        trial: A `Trial`.

    Returns:
        The function, to bool `(n, height, width)`; None if nothing was planted.
    """
    if trial.shortcut is None:
        return None

    def masks(indices: np.ndarray) -> np.ndarray:
        images = draw_images(
            trial.dataset, indices.tolist(), split="test", size=trial.size, shortcut=0.0
        )
        return images["artefact"]

    return masks
