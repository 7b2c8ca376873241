"""What the seeds show: paired comparisons, intervals, and five verdicts."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from medattn.study.analyse.sign_flip import sign_flip_p

LEVEL = 0.95
ALPHA = 0.05
POWER = 0.8
ROPE = 0.01  # differences within one point are practically none
DRAWS = 5_000  # of the posterior: a probability of 0.95 is known to 0.003

Verdict: TypeAlias = Literal[
    "better",
    "worse",
    "practically the same",
    "probably better",
    "probably worse",
    "cannot tell",
]
# What is said beside the two verdicts that the corrected test does not confirm.
UNCONFIRMED = "the interval leaves out zero, the corrected test does not confirm it"


@dataclass(frozen=True)
class Comparison:
    """One contrast, over paired seeds.

    Attributes:
        seeds: Pairs.
        mean: Mean difference.
        low, high: Its 95% interval (Student); NaN of a single seed.
        superiority: Fraction of pairs in which the first is better, ties half.
        p: Exact two-sided p of the sign-flip test, see `sign_flip_p`.
        p_holm: The same after Holm over the planned contrasts; `p` if alone.
        worse, same, better: Posterior probabilities of the Bayesian signed-rank test
            with a region of practical equivalence.
        rope: Half the width of that region.
        detectable: The smallest true difference that these seeds detect with 80% power
            at the strictest of Holm's levels; infinite if they can detect none.
        needed: Seeds that detect a true difference as large as the mean with 80% power;
            None if no number below 1,000 does.
        verdict: What this shows, see `decide`.
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

    Raises:
        ValueError: If a number is missing, or not finite.
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

    Raises:
        ValueError: As in `compare`.
    """
    if not len(d) or not np.isfinite(d).all():
        raise ValueError(
            "Networks are compared over the seeds that both have. Expected one finite "
            f"number a seed, at least one. Received: differences={d}"
        )
    mean, low, high = mean_interval(d)
    p = float(sign_flip_p(d))
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
        See `decide`.
    """
    return decide(one.low, one.high, p, one.rope)


def decide(low: float, high: float, p: float, rope: float) -> Verdict:
    """Gives one of five verdicts, none of which contradicts the interval.

    Args:
        low, high: The 95% interval of the mean difference; NaN if there is none.
        p: Of the sign-flip test, after Holm's correction.
        rope: Differences up to this are practically none.

    Returns:
        `"practically the same"`, if the whole interval lies in [-rope, rope];
        `"better"` or `"worse"`, if the interval leaves out zero and p is at most 0.05;
        `"probably better"` or `"probably worse"`, if it leaves out zero and p is
        larger: the corrected test does not confirm it; else `"cannot tell"`.

    Reference:
        Equivalence by the interval:
        [Schuirmann, 1987](https://doi.org/10.1007/BF01068419);
        [Lakens, 2017](https://doi.org/10.1177/1948550617697177), with the stricter 95%
        interval in place of their 90%.
    """
    if -rope <= low and high <= rope:
        return "practically the same"
    if low > 0:
        return "better" if p <= ALPHA else "probably better"
    if high < 0:
        return "worse" if p <= ALPHA else "probably worse"
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
    """Corrects p-values for their number, by Holm's step-down method.

    Args:
        ps: Of one family, all planned contrasts: 1 of one that cannot be answered.

    Returns:
        As many, at most 1; the order is kept.

    Reference: Holm, 1979, https://www.jstor.org/stable/4615733
    """
    return holm_all(np.array([ps], float))[0].tolist() if len(ps) else []


def holm_all(ps: np.ndarray) -> np.ndarray:
    """Corrects the p-values of many families at once.

    Of k sorted p the smallest is multiplied by k, the next by k - 1, and so on; none
    becomes smaller than the one before it.

    Args:
        ps: `(families, contrasts)`.

    Returns:
        The same shape, see `holm`.
    """
    order = np.argsort(ps, axis=-1)
    count = ps.shape[-1]
    steps = np.take_along_axis(ps, order, -1) * np.arange(count, 0, -1)
    steps = np.minimum(np.maximum.accumulate(steps, axis=-1), 1)
    corrected = np.empty_like(ps)
    np.put_along_axis(corrected, order, steps, -1)
    return corrected


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
    if one.seeds < 2:
        return text + "; one seed has no interval."
    if one.verdict.startswith("probably"):
        text += f" ({UNCONFIRMED})"
    elif one.verdict != "cannot tell":
        return text + "."
    elif one.needed is None:
        return text + "; fewer than 1,000 seeds would not show so small a difference."
    if one.needed is None or one.needed <= one.seeds:
        return text + "."
    return text + f"; a difference of this size would take {one.needed} seeds."


def _posterior(d: np.ndarray, rope: float) -> tuple[float, float, float]:
    """Computes the probabilities of a difference below, within and above the region.

    The Bayesian signed-rank test of [Benavoli et al.,
    2017](https://arxiv.org/abs/1606.04316): the differences, and one of 0 with weight
    1/2, get Dirichlet weights w; of each draw that of the three wins which has most of
    the weight w_i w_j over all pairs, by the mean of d_i and d_j.
    """
    known = np.append(0.0, d)
    sums = known[:, None] + known
    prior = np.append(0.5, np.ones(len(d)))
    weights = np.random.RandomState(0).dirichlet(prior, DRAWS)  # (draws, n + 1)
    below, above = (
        ((weights @ np.heaviside(side - 2 * rope, 0.5)) * weights).sum(1)
        for side in (-sums, sums)
    )
    winners = np.argmax([below, 1 - below - above, above], axis=0)
    worse, same, better = np.bincount(winners, minlength=3) / DRAWS
    return float(worse), float(same), float(better)


def _detectable(d: np.ndarray, family: int) -> float:
    """Finds the smallest difference detected with 80% power at the strictest level."""
    from statsmodels.stats.power import TTestPower

    n = len(d)
    if n < max(2, minimum_seeds(family)):
        return float("inf")
    effect = TTestPower().solve_power(nobs=n, alpha=ALPHA / family, power=POWER)
    return float(effect * d.std(ddof=1))


def _needed(d: np.ndarray, family: int) -> int | None:
    """Counts the seeds that detect the mean difference with 80% power."""
    from statsmodels.stats.power import TTestPower

    if len(d) < 2:
        return None
    spread = d.std(ddof=1)
    if spread <= 1e-12 * abs(d.mean()):
        return minimum_seeds(family) if d.mean() else None
    effect = abs(d.mean()) / spread
    test = TTestPower()

    def enough(n: int) -> bool:
        # Far beyond what is needed, statsmodels gives NaN instead of 1.
        return not test.power(effect, n, ALPHA / family) < POWER

    # The power grows with n: double, then bisect.
    few = many = minimum_seeds(family)
    while many < 1000 and not enough(many):
        few, many = many + 1, 2 * many
    while few < many:
        half = (few + many) // 2
        few, many = (few, half) if enough(half) else (half + 1, many)
    return few if few < 1000 and effect else None
