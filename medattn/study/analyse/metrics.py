"""How good a trained model is: discrimination, accuracy, and where its maps point."""

from typing import TYPE_CHECKING, Any

import numpy as np

from medattn.explain import create_analyzer, edge_map, relevance_mass
from medattn.study.analyse.scores import score_predictions

if TYPE_CHECKING:
    import keras


def probabilities(
    model: "keras.Model", images: np.ndarray, *, batch_size: int = 250
) -> np.ndarray:
    """Predicts the probability of each class.

    Args:
        model: A `keras.Model` from images to logits.
        images: `(n, height, width, channels)`, in [0, 1].
        batch_size: Images at once.

    Returns:
        `(n, classes)`, float64, rows summing to one.
    """
    # `predict` sets up a pipeline, which costs more than the prediction of one image.
    parts = [
        model.predict_on_batch(images[start : start + batch_size])
        for start in range(0, len(images), batch_size)
    ]
    logits = np.concatenate(parts).astype(np.float64)
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def evaluate(
    model: "keras.Model",
    images: np.ndarray,
    labels: np.ndarray,
    masks: np.ndarray | None = None,
    *,
    batch_size: int = 250,
) -> dict[str, Any]:
    """Measures a binary classifier on a test set.

    Args:
        model: A `keras.Model` from images to two logits.
        images: `(n, height, width, channels)`, in [0, 1].
        labels: `(n,)`, 0 or 1.
        masks: Evidence, `(n, height, width)`, bool; without it maps are not scored.
        batch_size: Images at once.

    Returns:
        The dict of `score_predictions`, and with masks, as means over the positives,
        `relevance_mass` of LRP-epsilon for the positive logit, beside
        `relevance_mass_random` (the fraction of the image that evidence covers) and
        `relevance_mass_edges` (of an edge detector).
    """
    scores: dict[str, Any] = score_predictions(
        labels, probabilities(model, images, batch_size=batch_size), draws=0
    )
    if masks is None:
        return scores
    positives = np.flatnonzero(np.asarray(labels) == 1)
    analyzer = create_analyzer("lrp.epsilon", model, neuron_selection_mode="index")
    masses = [
        relevance_mass(np.asarray(analyzer.analyze(images[part], 1)), masks[part])
        for part in np.array_split(positives, max(1, len(positives) // batch_size))
    ]
    edges = relevance_mass(edge_map(images[positives]), masks[positives])
    return scores | {
        "relevance_mass": float(np.nanmean(np.concatenate(masses))),
        "relevance_mass_random": float(masks[positives].mean()),
        "relevance_mass_edges": float(np.nanmean(edges)),
    }
