"""Calibration: how often predictions of a probability come true."""

from collections import namedtuple
from collections.abc import Sequence

import numpy as np

Reliability = namedtuple("Reliability", "said happened count")


def reliability(
    chance: np.ndarray | Sequence[float],
    happened: np.ndarray | Sequence[bool],
    *,
    low: float = 0.0,
    bins: int = 10,
) -> Reliability:
    """Groups predictions by their probability, and counts how often they came true.

    Args:
        chance: Predicted probability, `(n,)`.
        happened: Whether it came true, `(n,)`, bool.
        low: Lower edge of the first bin: 0.5 for predictions of the likelier of two
            classes.
        bins: Bins of equal width from `low` to 1.

    Returns:
        A `Reliability` of arrays over the bins: `said`, the mean probability;
        `happened`, the fraction that came true; both NaN in empty bins; `count`.

    Reference: [DeGroot and Fienberg, 1983](https://doi.org/10.2307/2987588)
    """
    probability, outcome = _checked(chance, happened, low)
    # 1e-9, for 0.6 as a float is just below the edge of the second bin of five.
    index = ((probability - low) / (1 - low) * bins + 1e-9).astype(int)
    index = np.minimum(index, bins - 1)
    count = np.bincount(index, minlength=bins)
    size = np.where(count, count, np.nan)
    mean = np.bincount(index, weights=probability, minlength=bins) / size
    true = np.bincount(index, weights=outcome, minlength=bins) / size
    return Reliability(mean, true, count)


def brier_score(
    chance: np.ndarray | Sequence[float], happened: np.ndarray | Sequence[bool]
) -> float:
    """Computes the mean squared distance between probability and outcome.

    0 is perfect; always predicting 0.5 scores 0.25.

    Args:
        chance: Predicted probability, `(n,)`.
        happened: Whether it came true, `(n,)`, bool.

    Returns:
        A number in [0, 1]; NaN of no predictions.

    Reference: Brier, 1950, for two outcomes, one term each
    """
    probability, outcome = _checked(chance, happened, 0.0)
    if not len(probability):
        return float("nan")
    return float(np.mean((probability - outcome) ** 2))


def _checked(
    chance: np.ndarray | Sequence[float],
    happened: np.ndarray | Sequence[bool],
    low: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns probabilities and outcomes as float arrays of one length."""
    probability, outcome = np.asarray(chance, float), np.asarray(happened, float)
    fits = probability.shape == outcome.shape and probability.ndim == 1
    if not fits or not ((probability >= low) & (probability <= 1)).all():
        raise ValueError(
            f"These are no predictions. Expected probabilities from {low:g} to 1 and "
            "as many outcomes. Received: "
            f"{probability.shape} from {probability.min(initial=1):g} to "
            f"{probability.max(initial=0):g}, and {outcome.shape}"
        )
    return probability, outcome
