"""A second opinion: a mixed model in which the cells are a sample, too."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medattn.study.analyse.statistics import LEVEL, Comparison

MINIMUM = 3  # cells and seeds, below which their variances cannot be told apart
# Tried in turn. The gradients of statsmodels's default fail where a variance is near 0.
METHODS = ["nm", "powell"]


@dataclass(frozen=True)
class Opinion:
    """What a mixed model says of a contrast.

    Attributes:
        mean: The mean difference over seeds and cells.
        low, high: Its 95% interval; NaN if the model did not converge.
        converged: Whether it did.
    """

    mean: float
    low: float
    high: float
    converged: bool


def mixed_opinion(cells: Mapping[Any, Mapping[int, float]]) -> Opinion | None:
    """Fits a mixed model to the differences of a contrast in every cell and seed.

    `d ~ 1 + (1 | seed) + (1 | cell)`, that is d_sc = mean + seed_s + cell_c + rest_sc

    with normal seeds, cells and rest whose variances are estimated by REML. It uses the
    seeds that lack cells, too, and asks more than the verdict does: would it be so in
    other cells of this kind? The interval is Student's, with Satterthwaite's degrees of
    freedom for the mean of as many seeds in as many cells:

        (A + B - E)^2 / (A^2 / (S - 1) + B^2 / (C - 1) + E^2 / ((S - 1) (C - 1)))

    for S seeds and C cells, A = C seed^2 + rest^2, B = S cell^2 + rest^2, E = rest^2.

    Args:
        cells: `{cell: {seed: difference}}`.

    Returns:
        An `Opinion`; None with fewer than three cells or seeds, or if nothing varies.

    Reference: Bates et al., 2015, https://doi.org/10.18637/jss.v067.i01, by
        statsmodels's `MixedLM`; Satterthwaite, 1946, https://doi.org/10.2307/3002019
    """
    from scipy.stats import t

    found = [
        (seed, cell, value)
        for cell, seeds in enumerate(cells.values())
        for seed, value in seeds.items()
    ]
    seeds, places, d = (np.array([one[k] for one in found]) for k in range(3))
    count, places_count = len(set(seeds)), len(set(places))
    if min(count, places_count) < MINIMUM or not d.std() > 1e-9:
        return None
    scale = d.std()  # so that the optimiser's steps fit
    fitted = _fit(d / scale, seeds, places)
    if fitted is None:
        return Opinion(float(d.mean()), float("nan"), float("nan"), converged=False)
    mean, error, of_seeds, of_cells, rest = fitted
    a, b = places_count * of_seeds + rest, count * of_cells + rest
    freedom = (a + b - rest) ** 2 / (
        a**2 / (count - 1)
        + b**2 / (places_count - 1)
        + rest**2 / ((count - 1) * (places_count - 1))
    )
    reach = float(t.ppf(0.5 + LEVEL / 2, freedom) * error * scale)
    mean = float(mean * scale)
    return Opinion(mean, mean - reach, mean + reach, converged=True)


def opinion_sentence(
    name: str, one: Comparison, opinion: Opinion | None, unit: float = 100
) -> str:
    """Writes the second opinion, if it is another one.

    Args:
        name: Of the contrast.
        one: Its `Comparison`.
        opinion: Of `mixed_opinion`.
        unit: Of the numbers: 100 writes points.

    Returns:
        A sentence; empty if there is no opinion, or if both intervals leave out zero
        on the same side, or neither does.
    """
    if opinion is None:
        return ""
    if not opinion.converged:
        return f"{name}: the mixed model did not converge, so no second opinion."
    if _side(one.low, one.high) == _side(opinion.low, opinion.high):
        return ""
    text = (
        f"{unit * opinion.mean:+.2f} [{unit * opinion.low:+.2f}, "
        f"{unit * opinion.high:+.2f}]"
    ).replace("-", "−")
    holds = "leaves out zero" if _side(opinion.low, opinion.high) else "holds zero"
    return (
        f"{name}, second opinion: a mixed model in which the cells are a sample, too, "
        f"gives {text}, which {holds}; the verdict is on these cells alone."
    )


def _fit(
    d: np.ndarray, seeds: np.ndarray, places: np.ndarray
) -> tuple[float, float, float, float, float] | None:
    """Fits the model; mean, its error, variances of seeds, cells, rest; or None."""
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    sides = [(side, np.unique(side)) for side in (seeds, places)]
    crossed = VCSpec(
        ["seed", "cell"],
        [[[str(one) for one in levels]] for _, levels in sides],
        [[(side[:, None] == levels).astype(float)] for side, levels in sides],
    )
    one_group = np.ones(len(d))
    with warnings.catch_warnings():
        # Said by `converged` instead; a variance of zero is no failure.
        warnings.simplefilter("ignore")
        try:
            model = MixedLM(d, one_group[:, None], one_group, exog_vc=crossed)
            fitted = model.fit(reml=True, method=METHODS)
        except (np.linalg.LinAlgError, ValueError):
            return None
        error = np.sqrt(np.asarray(fitted.cov_params())[0, 0])
    numbers = (fitted.fe_params[0], error, *fitted.vcomp, fitted.scale)
    if not fitted.converged or not np.isfinite(numbers).all():
        return None
    mean, error, of_seeds, of_cells, rest = map(float, numbers)
    return mean, error, of_seeds, of_cells, rest


def _side(low: float, high: float) -> int:
    """Returns on which side of zero an interval lies; 0 if it holds zero."""
    return int(low > 0) - int(high < 0)
