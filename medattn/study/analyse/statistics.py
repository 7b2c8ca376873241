"""What the seeds show: paired comparisons, intervals, and "cannot tell"."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

LEVEL = 0.95
ALPHA = 0.05
POWER = 0.8
ROPE = 0.01  # differences within one point are practically none
SURE = 0.95  # posterior probability of "practically the same"
DRAWS = 5_000  # of the posterior: its probabilities are known to 0.003 at SURE

Verdict: TypeAlias = Literal["better", "worse", "practically the same", "cannot tell"]


@dataclass(frozen=True)
class Comparison:
    """One contrast, over paired seeds.

    Attributes:
        seeds: Pairs.
        mean: Mean difference.
        low, high: Its 95% interval (Student).
        superiority: Fraction of pairs in which the first is better, ties half.
        p: Exact two-sided Wilcoxon signed-rank p.
        p_holm: The same after Holm over the planned contrasts; `p` if alone.
        worse, same, better: Posterior probabilities of the Bayesian signed-rank test
            with a region of practical equivalence.
        rope: Half the width of that region.
        detectable: The smallest true difference that these seeds detect with 80% power
            at the strictest of Holm's levels; infinite if they can detect none.
        needed: Seeds that detect a true difference as large as the mean with 80% power;
            None if no number below 1,000 does.
        verdict: `"better"` or `"worse"`, if `p_holm` is at most 0.05 and the interval
            without zero; `"practically the same"`, if `same` is at least 0.95 and the
            whole interval within the region; else `"cannot tell"`.
    """

    seeds: int
    mean: float
    low: float
    high: float
    superiority: float
    p: float
    p_holm: float
    worse: float
    same: float
    better: float
    rope: float
    detectable: float
    needed: int | None
    verdict: Verdict


def compare(
    first: np.ndarray | Sequence[float],
    second: np.ndarray | Sequence[float],
    *,
    family: int = 1,
    rope: float = ROPE,
) -> Comparison:
    """Compares two lists of results, paired by seed.

    Args:
        first, second: One number a seed, `(seeds,)`, higher is better.
        family: How many contrasts were planned; Holm's strictest level is
            `ALPHA / family`.
        rope: Differences up to this are practically none.

    Returns:
        A `Comparison`, whose `p_holm` is not corrected yet, see `holm`.
    """
    differences = np.asarray(first, float) - np.asarray(second, float)
    return compare_differences(differences, family, rope)


def compare_differences(d: np.ndarray, family: int, rope: float) -> Comparison:
    """Compares like `compare`, from the differences.

    Args:
        d: First minus second, one number a seed, `(seeds,)`.
        family: As in `compare`.
        rope: As in `compare`.

    Returns:
        A `Comparison`.
    """
    mean, low, high = mean_interval(d)
    p = exact_wilcoxon(d)
    worse, same, better = _posterior(d, rope)
    comparison = Comparison(
        seeds=len(d),
        mean=mean,
        low=low,
        high=high,
        superiority=float(np.mean(d > 0) + np.mean(d == 0) / 2),
        p=p,
        p_holm=p,
        worse=worse,
        same=same,
        better=better,
        rope=rope,
        detectable=_detectable(d, family),
        needed=_needed(d, family),
        verdict="cannot tell",
    )
    return replace(comparison, verdict=verdict(comparison, p))


def verdict(one: Comparison, p: float) -> Verdict:
    """Decides what a comparison shows.

    Args:
        one: A `Comparison`.
        p: Its p-value, corrected if others are tested with it.

    Returns:
        See `Comparison.verdict`.
    """
    # Three close seeds make any posterior sure: the interval must agree.
    if one.same >= SURE and -one.rope <= one.low and one.high <= one.rope:
        return "practically the same"
    if p <= ALPHA and not one.low <= 0 <= one.high:
        return "better" if one.mean > 0 else "worse"
    return "cannot tell"


def exact_wilcoxon(differences: np.ndarray | Sequence[float]) -> float:
    """Computes the two-sided p over all `2^n` signs of the differences.

    Zeros are left out, ties get midranks.

    Args:
        differences: `(n,)`.

    Returns:
        p; 1 if nothing differs.

    Reference:
        Wilcoxon, 1945, by `scipy.stats.wilcoxon`.
    """
    from scipy.stats import PermutationMethod, wilcoxon

    kept = np.asarray(differences, float)
    kept = kept[kept != 0]
    if not len(kept):
        return 1.0
    tied = len(np.unique(np.abs(kept))) < len(kept)
    if not tied:
        return float(wilcoxon(kept, method="exact").pvalue)
    if len(kept) > 16:
        return float(wilcoxon(kept, method="asymptotic").pvalue)
    signs = PermutationMethod(n_resamples=2 ** len(kept))
    return float(wilcoxon(kept, method=signs).pvalue)


def holm(ps: Sequence[float]) -> list[float]:
    """Corrects p-values for their number, by Holm's step-down method."""
    from statsmodels.stats.multitest import multipletests

    return list(multipletests(ps, method="holm")[1]) if len(ps) else []


def minimum_seeds(family: int) -> int:
    """Counts the seeds below which no difference, however large, can be detected.

    n pairs of one sign have the exact two-sided p `2^(1 - n)`.

    Args:
        family: How many contrasts were planned.
    """
    return next(n for n in itertools.count(2) if 2.0 ** (1 - n) <= ALPHA / family)


def mean_interval(
    values: np.ndarray | Sequence[float],
) -> tuple[float, float, float]:
    """Computes a mean and its 95% interval by Student's t.

    Args:
        values: `(n,)`.

    Returns:
        `(mean, low, high)`; the ends are NaN of a single value.
    """
    from scipy.stats import t

    values = np.asarray(values, float)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    reach = t.ppf(0.5 + LEVEL / 2, len(values) - 1) * values.std(ddof=1)
    reach = float(reach / np.sqrt(len(values)))
    return mean, mean - reach, mean + reach


def sentence(name: str, one: Comparison, unit: float = 100) -> str:
    """Writes what a comparison shows, in points.

    Args:
        name: Of the contrast.
        one: A `Comparison`.
        unit: Points per unit of the metric.

    Returns:
        A sentence.
    """
    text = (
        f"{name}: {unit * one.mean:+.2f} points "
        f"[{unit * one.low:+.2f}, {unit * one.high:+.2f}] over {one.seeds} seeds, "
        f"Holm p = {one.p_holm:.3f}: {one.verdict}"
    ).replace("-", "−")
    if one.verdict != "cannot tell":
        return text + "."
    if one.needed is None:
        return text + "; fewer than 1,000 seeds would not show so small a difference."
    return text + f"; a difference of this size would take {one.needed} seeds."


def _posterior(d: np.ndarray, rope: float) -> tuple[float, float, float]:
    """Computes the probabilities of a difference below, within and above the region."""
    from baycomp import SignedRankTest

    zero = np.zeros(len(d))
    # baycomp compares (x, y) and returns first the probability that x is better.
    first, same, second = SignedRankTest.probs(
        zero, np.asarray(d), rope, nsamples=DRAWS, random_state=0
    )
    return float(first), float(same), float(second)


def _detectable(d: np.ndarray, family: int) -> float:
    """Finds the smallest difference detected with 80% power at the strictest level."""
    from statsmodels.stats.power import TTestPower

    n = len(d)
    if n < minimum_seeds(family):
        return float("inf")
    effect = TTestPower().solve_power(nobs=n, alpha=ALPHA / family, power=POWER)
    return float(effect * d.std(ddof=1))


def _needed(d: np.ndarray, family: int) -> int | None:
    """Counts the seeds that detect the mean difference with 80% power."""
    from statsmodels.stats.power import TTestPower

    spread = d.std(ddof=1)
    if spread == 0:
        return minimum_seeds(family) if d.mean() else None
    effect = abs(d.mean()) / spread
    test = TTestPower()

    def enough(n: int) -> bool:
        return test.power(effect, n, ALPHA / family) >= POWER

    # The power grows with n: double, then bisect. (Far beyond what is needed,
    # statsmodels gives NaN instead of 1, so larger n are not tried.)
    few = many = minimum_seeds(family)
    while many < 1000 and not enough(many):
        few, many = many + 1, 2 * many
    while few < many:
        half = (few + many) // 2
        few, many = (few, half) if enough(half) else (half + 1, many)
    return few if few < 1000 and effect else None
