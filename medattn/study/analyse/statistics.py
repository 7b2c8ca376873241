"""What the seeds can bear: planned contrasts, intervals, and "cannot tell".

A seed is the unit: the same seed gives every network the same subset, so differences
are taken within a seed, averaged over its cells (data sets, regimes, trunks), and the
seeds' averages are compared. Cells of one seed share images and are no new evidence.
"""

import itertools
from collections import Counter
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
ALPHA = 0.05
POWER = 0.8
ROPE = 0.01  # differences within one point are practically none
SURE = 0.95  # posterior probability from which we say so
DRAWS = 5_000  # of the posterior: its probabilities are known to 0.003 at SURE

# The contrasts that were planned; Holm's correction counts these and no others. Each
# says which row of results stands on which side, or on none.
TRUNKS = ("densenet", "resnet")


def gate_of(row):
    """Names a row's gate: `"none"`, `"se"`, `"cbam"`; None of a transformer."""
    name = row["model"]
    if not any(trunk in name for trunk in TRUNKS):
        return None
    return next((gate for gate in ("se", "cbam") if name.startswith(gate)), "none")


def _side(of, one, other):
    """Makes a function that puts a row on side 1, on side 0, or on none."""
    return lambda row: {one: 1, other: 0}.get(of(row))


CONTRASTS = {
    "SE − none": _side(gate_of, "se", "none"),
    "CBAM − none": _side(gate_of, "cbam", "none"),
    "pretrained − scratch": _side(
        lambda row: "scratch" if row["initialisation"] == "random" else "pretrained",
        "pretrained",
        "scratch",
    ),
    "transformer − convolution": _side(
        lambda row: {None: "deit", "none": "cnn"}.get(gate_of(row)), "deit", "cnn"
    ),
}
# What must be the same on both sides of a difference, the seed apart.
MATCHED = {
    "SE − none": ("dataset", "regime", "initialisation", "shortcut", "trunk"),
    "CBAM − none": ("dataset", "regime", "initialisation", "shortcut", "trunk"),
    "pretrained − scratch": ("dataset", "regime", "shortcut", "model"),
    "transformer − convolution": ("dataset", "regime", "initialisation", "shortcut"),
}


@dataclass(frozen=True)
class Comparison:
    """One contrast, over paired seeds.

    Attributes:
        seeds: Pairs.
        mean: Mean difference.
        low, high: Its 95% interval (Student).
        superiority: Share of pairs in which the first is better, ties half.
        p: Exact two-sided Wilcoxon signed-rank p.
        p_holm: The same after Holm over the planned contrasts; `p` if alone.
        worse, same, better: Posterior probabilities of the Bayesian signed-rank test
            with a region of practical equivalence.
        rope: Half the width of that region.
        detectable: The smallest true difference that these seeds would have shown
            with 80% power at the strictest of Holm's levels; infinite if none could
            be shown.
        needed: Seeds with which a true difference as large as the mean would be
            shown with 80% power; None if no number below 1,000 would.
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
    verdict: str


def compare(first, second, *, family=1, rope=ROPE):
    """Compares two lists of results, paired by seed.

    Args:
        first, second: One number a seed, `(seeds,)`, higher is better.
        family: How many contrasts were planned; Holm's strictest level is
            `ALPHA / family`.
        rope: Differences up to this are practically none.

    Returns:
        A `Comparison`, whose `p_holm` is not corrected yet, see `holm`.
    """
    return _compare(np.asarray(first, float) - np.asarray(second, float), family, rope)


def exact_wilcoxon(differences):
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


def holm(ps):
    """Corrects p-values for their number, step by step."""
    from statsmodels.stats.multitest import multipletests

    return list(multipletests(ps, method="holm")[1]) if len(ps) else []


def least_seeds(family):
    """Counts the seeds below which no difference, however large, can be shown.

    n pairs of one sign have the exact two-sided p `2^(1 - n)`.
    """
    return next(n for n in itertools.count(2) if 2.0 ** (1 - n) <= ALPHA / family)


def paired_differences(rows, contrast, metric="auroc"):
    """Averages the differences of a contrast within each seed.

    Args:
        rows: Results, as `gather_results` gives them.
        contrast: A name in `CONTRASTS`.
        metric: A column.

    Returns:
        `{seed: mean difference}` over the cells, of the seeds that have all of them. A
        seed that lacks most cells has only begun, and is left out; so is, then, a cell
        that most seeds lack, for its trials failed.
    """
    side, matched = CONTRASTS[contrast], MATCHED[contrast]
    cells = {}
    for row in rows:
        where = side(row)
        if where is None or row.get(metric) is None or row["dataset"] == "shapes":
            continue
        cell = tuple(_trunk(row) if key == "trunk" else row[key] for key in matched)
        sides = cells.setdefault(cell, {}).setdefault(row["seed"], ([], []))
        sides[where].append(row[metric])
    cells = {
        cell: {
            seed: np.mean(one) - np.mean(zero)
            for seed, (zero, one) in seeds.items()
            if one and zero
        }
        for cell, seeds in cells.items()
    }
    cells = {cell: seeds for cell, seeds in cells.items() if seeds}
    if not cells:
        return {}
    held = Counter(seed for seeds in cells.values() for seed in seeds)
    begun = {seed for seed, count in held.items() if count >= len(cells) / 2}
    cells = {
        cell: seeds
        for cell, seeds in cells.items()
        if len(begun & set(seeds)) > len(begun) / 2
    }
    if not cells:
        return {}
    everywhere = set.intersection(*(set(seeds) for seeds in cells.values()))
    return {
        seed: float(np.mean([seeds[seed] for seeds in cells.values()]))
        for seed in sorted(everywhere)
    }


def contrast_table(rows, metric="auroc", *, rope=ROPE, better="high"):
    """Makes all planned contrasts that the results hold, with Holm over them.

    Args:
        rows: Results.
        metric: A column.
        rope: See `compare`.
        better: Which end of the metric is: `"high"`, or `"low"`, whose differences
            change their sign, so that a positive one is always an improvement.

    Returns:
        `{contrast: Comparison}`; a contrast with fewer than two seeds is left out.
    """
    from dataclasses import replace

    sign = {"high": 1, "low": -1}[better]
    found = {
        name: [sign * d for d in paired_differences(rows, name, metric).values()]
        for name in CONTRASTS
    }
    found = {name: np.array(d) for name, d in found.items() if len(d) >= 2}
    made = {name: _compare(d, len(CONTRASTS), rope) for name, d in found.items()}
    # A planned contrast that these results cannot answer counts all the same.
    missing = [1.0] * (len(CONTRASTS) - len(made))
    corrected = holm([one.p for one in made.values()] + missing)[: len(made)]
    return {
        name: replace(one, p_holm=p, verdict=_verdict(one, p))
        for (name, one), p in zip(made.items(), corrected, strict=True)
    }


def contrasts_by(rows, factor, metric="auroc"):
    """Describes the contrasts within each level of a factor: intervals, no tests.

    Args:
        rows: Results.
        factor: A column, `"regime"` for instance.
        metric: Another.

    Returns:
        `{contrast: {level: (mean, low, high, seeds)}}`.
    """
    levels = sorted({row[factor] for row in rows if row["dataset"] != "shapes"})
    found = {}
    for name in CONTRASTS:
        for level in levels:
            part = [row for row in rows if row[factor] == level]
            seeds = list(paired_differences(part, name, metric).values())
            if len(seeds) >= 2:
                mean, low, high = mean_interval(np.array(seeds))
                found.setdefault(name, {})[level] = (mean, low, high, len(seeds))
    return found


def mean_interval(values):
    """Computes a mean and its 95% interval by Student's t."""
    from scipy.stats import t

    values = np.asarray(values, float)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    reach = t.ppf(0.5 + LEVEL / 2, len(values) - 1) * values.std(ddof=1)
    reach = float(reach / np.sqrt(len(values)))
    return mean, mean - reach, mean + reach


def sentence(name, one, unit=100):
    """Says what a comparison bears, in points."""
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


def _compare(d, family, rope):
    mean, low, high = mean_interval(d)
    p = exact_wilcoxon(d)
    worse, same, better = _posterior(d, rope)
    made = Comparison(
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
        verdict="",
    )
    from dataclasses import replace

    return replace(made, verdict=_verdict(made, p))


def _verdict(one, p):
    # Three seeds that lie close make any posterior sure: the interval must agree.
    if one.same >= SURE and -one.rope <= one.low and one.high <= one.rope:
        return "practically the same"
    if p <= ALPHA and not one.low <= 0 <= one.high:
        return "better" if one.mean > 0 else "worse"
    return "cannot tell"


def _posterior(d, rope):
    """Probabilities that the difference is below, within and above the region."""
    from baycomp import SignedRankTest

    zero = np.zeros(len(d))
    # baycomp speaks of (x, y) and names first the probability that x is better.
    first, same, second = SignedRankTest.probs(
        zero, np.asarray(d), rope, nsamples=DRAWS, random_state=0
    )
    return float(first), float(same), float(second)


def _detectable(d, family):
    """Finds the smallest difference shown with 80% power at Holm's strictest level."""
    from statsmodels.stats.power import TTestPower

    n = len(d)
    if n < least_seeds(family):
        return float("inf")
    effect = TTestPower().solve_power(nobs=n, alpha=ALPHA / family, power=POWER)
    return float(effect * d.std(ddof=1))


def _needed(d, family):
    """Counts the seeds that would show the mean difference with 80% power."""
    from statsmodels.stats.power import TTestPower

    spread = d.std(ddof=1)
    if spread == 0:
        return least_seeds(family) if d.mean() else None
    effect = abs(d.mean()) / spread
    test = TTestPower()

    def shown(n):
        return test.power(effect, n, ALPHA / family) >= POWER

    # The power grows with n: double, then halve. (Far beyond what is needed,
    # statsmodels gives NaN for 1, so nobody looks there.)
    few = many = least_seeds(family)
    while many < 1000 and not shown(many):
        few, many = many + 1, 2 * many
    while few < many:
        half = (few + many) // 2
        few, many = (few, half) if shown(half) else (half + 1, many)
    return few if few < 1000 and effect else None


def _trunk(row):
    return row["model"].removeprefix("se_").removeprefix("cbam_")
