"""Of those who say how sure they are, people or networks: how often are they right?"""

from collections import namedtuple

import numpy as np

Reliability = namedtuple("Reliability", "said happened count")


def reliability(chance, happened, *, low=0.0, bins=10):
    """Groups predictions by what they said, and counts how often it came true.

    Args:
        chance: Probability that was said, `(n,)`.
        happened: Whether it came true, `(n,)`, bool.
        low: Where the first bin begins: 0.5 for someone who names the likelier of two.
        bins: Bins of equal width from `low` to 1.

    Returns:
        A `Reliability` of arrays over the bins: `said`, the mean probability;
        `happened`, the share that came true; both NaN in empty bins; `count`.

    Reference: [DeGroot and Fienberg, 1983](https://doi.org/10.2307/2987588)
    """
    chance, happened = _paired(chance, happened, low)
    # The little is for 0.6, which the float puts just below the second bin of five.
    place = ((chance - low) / (1 - low) * bins + 1e-9).astype(int)
    place = np.minimum(place, bins - 1)
    count = np.bincount(place, minlength=bins)
    size = np.where(count, count, np.nan)
    said = np.bincount(place, weights=chance, minlength=bins) / size
    true = np.bincount(place, weights=happened, minlength=bins) / size
    return Reliability(said, true, count)


def brier_score(chance, happened):
    """Computes the mean squared distance between what was said and what came.

    0 is perfect; always saying 0.5 scores 0.25.

    Args:
        chance: Probability that was said, `(n,)`.
        happened: Whether it came true, `(n,)`, bool.

    Returns:
        A number in [0, 1]; NaN of no predictions.

    Reference: Brier, 1950, for two outcomes, one term each
    """
    chance, happened = _paired(chance, happened, 0.0)
    if not len(chance):
        return float("nan")
    return float(np.mean((chance - happened) ** 2))


def _paired(chance, happened, low):
    chance, happened = np.asarray(chance, float), np.asarray(happened, float)
    fits = chance.shape == happened.shape and chance.ndim == 1
    if not fits or not ((chance >= low) & (chance <= 1)).all():
        raise ValueError(
            f"These are no predictions. Expected probabilities from {low:g} to 1 and "
            "as many outcomes. Received: "
            f"{chance.shape} from {chance.min(initial=1):g} to "
            f"{chance.max(initial=0):g}, and {happened.shape}"
        )
    return chance, happened
