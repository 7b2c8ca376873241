"""Simulated studies: how often each verdict is given when the truth is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from medattn.study.analyse.sign_flip import sign_flip_p
from medattn.study.analyse.statistics import (
    ALPHA,
    LEVEL,
    ROPE,
    Verdict,
    holm_all,
)

STUDIES = 1_000
TRUTHS = (0.0, 0.02, 0.05, 0.1)  # true differences: none, 2, 5 and 10 points
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

# How a network's seeds vary: like a bell; with outliers (Student's t of 3 degrees); in
# two groups, as where three of ten trainings never take off; or so on one side only,
# the network that is compared with not varying at all. Then a difference is not as
# likely as its negative, even if its mean is zero: what the sign-flip test assumes.
Shape: TypeAlias = Literal["bell", "outliers", "two groups", "one side in two groups"]


@dataclass(frozen=True)
class Noise:
    """How differences vary, in units of the metric.

    The difference of seed s in cell c is `truth + cell_c + seed_s + rest_sc`, in which
    the cells' effects are fixed and sum to zero, for the truth is their mean.

    Attributes:
        seed: Standard deviation of what all cells of a seed have in common.
        cell: Of the cells' effects.
        rest: Of what neither explains.
        cells: How many there are.
    """

    seed: float
    cell: float
    rest: float
    cells: int

    @property
    def of_means(self) -> float:
        """Standard deviation of the seeds' means over the cells."""
        return float(np.sqrt(self.seed**2 + self.rest**2 / self.cells))


@dataclass(frozen=True)
class Rates:
    """How often simulated studies gave each verdict.

    Attributes:
        truth: The true difference of the first contrast; the others have none.
        seeds: Of a study.
        family: Contrasts of a family.
        studies: How many were simulated.
        verdicts: Fraction of studies by the verdict on the first contrast.
        claims: Fraction with "better" or "worse" of any contrast without a difference.
        claims_high: Upper end of its one-sided 95% interval (Clopper and Pearson).
        guesses: Fraction with "better", "worse" or either "probably" of any contrast
            without a difference.
    """

    truth: float
    seeds: int
    family: int
    studies: int
    verdicts: Mapping[Verdict, float]
    claims: float
    claims_high: float
    guesses: float


def estimate_noise(cells: Mapping[Any, Mapping[int, float]]) -> Noise:
    """Estimates how a contrast's differences vary, by a two-way analysis of variance.

    With MS the mean squares of seeds, cells and rest, of S seeds and C cells,

        rest^2 = MS_rest;  seed^2 = (MS_seed - MS_rest) / C;  cell^2 likewise over S

    and 0 where that is negative. Of one cell all variation counts as rest.

    Args:
        cells: `{cell: {seed: difference}}`; seeds that lack a cell are left out.

    Returns:
        A `Noise`.

    Raises:
        ValueError: With fewer than two complete seeds.

    Reference: Searle, Casella and McCulloch, Variance Components, 1992, chapter 4
    """
    common = sorted(
        set.intersection(*(set(s) for s in cells.values())) if cells else []
    )
    if len(common) < 2:
        raise ValueError(
            "Noise is estimated from seeds that have all cells. Expected two or more. "
            f"Received: {len(common)}"
        )
    d = np.array([[seeds[seed] for seed in common] for seeds in cells.values()])
    count, n = d.shape  # (cells, seeds)
    if count == 1:
        return Noise(seed=0.0, cell=0.0, rest=float(d.std(ddof=1)), cells=1)
    of_seed, of_cell = d.mean(0), d.mean(1)
    rest = d - of_seed - of_cell[:, None] + d.mean()
    square = (rest**2).sum() / ((count - 1) * (n - 1))
    seed = max(0.0, of_seed.var(ddof=1) - square / count)
    cell = max(0.0, of_cell.var(ddof=1) - square / n)
    of_seeds, of_cells, of_rest = (float(np.sqrt(v)) for v in (seed, cell, square))
    return Noise(seed=of_seeds, cell=of_cells, rest=of_rest, cells=count)


def simulate_differences(
    noise: Noise,
    truths: Sequence[float],
    *,
    seeds: int,
    studies: int = STUDIES,
    shape: Shape = "bell",
    random_seed: int = 0,
) -> np.ndarray:
    """Simulates studies whose contrasts share the network that they compare with.

    Args:
        noise: How differences vary.
        truths: The true difference of every contrast of a family.
        seeds: Of a study.
        studies: How many.
        shape: How a network's seeds vary.
        random_seed: Decides the draws.

    Returns:
        The seeds' means over the cells, `(studies, contrasts, seeds)`.
    """
    rng = np.random.default_rng(random_seed)
    sides = len(truths) + 1  # the last is the one that all are compared with
    each = 1 / np.sqrt(2)  # a difference has the variance of both its sides
    cell = rng.normal(0, noise.cell, (studies, sides - 1, 1, noise.cells))
    cell -= cell.mean(-1, keepdims=True)
    common = _draws(rng, shape, (studies, sides, seeds, 1)) * noise.seed * each
    rest = _draws(rng, shape, (studies, sides, seeds, noise.cells)) * noise.rest * each
    values = common + rest
    differences = values[:, :-1] - values[:, -1:] + cell
    return differences.mean(-1) + np.asarray(truths)[:, None]


def decide_all(differences: np.ndarray, rope: float = ROPE) -> np.ndarray:
    """Gives the verdicts of many studies at once, by the rule of `decide`.

    Args:
        differences: `(studies, contrasts, seeds)`, the contrasts of a family.
        rope: Differences up to this are practically none.

    Returns:
        `(studies, contrasts)` of `Verdict`.
    """
    from scipy.stats import t

    n = differences.shape[-1]
    p = holm_all(sign_flip_p(differences))
    mean = differences.mean(-1)
    reach = t.ppf(0.5 + LEVEL / 2, n - 1) * differences.std(-1, ddof=1) / np.sqrt(n)
    low, high = mean - reach, mean + reach
    return np.select(
        [
            (-rope <= low) & (high <= rope),
            (low > 0) & (p <= ALPHA),
            (high < 0) & (p <= ALPHA),
            low > 0,
            high < 0,
        ],
        [
            "practically the same",
            "better",
            "worse",
            "probably better",
            "probably worse",
        ],
        "cannot tell",
    )


def verdict_rates(
    noise: Noise,
    *,
    truth: float = 0.0,
    seeds: int = 8,
    family: int = 1,
    rope: float = ROPE,
    studies: int = STUDIES,
    shape: Shape = "bell",
    random_seed: int = 0,
) -> Rates:
    """Counts the verdicts of simulated studies.

    One contrast has a true difference and the others of its family have none, which is
    the hardest case for Holm's correction; with `truth=0` none has.

    Args:
        noise, seeds, studies, shape, random_seed: As in `simulate_differences`.
        truth: The true difference of the first contrast.
        family: How many contrasts were planned.
        rope: As in `decide_all`.

    Returns:
        `Rates`.
    """
    from scipy.stats import beta

    truths = [truth, *[0.0] * (family - 1)]
    found = decide_all(
        simulate_differences(
            noise,
            truths,
            seeds=seeds,
            studies=studies,
            shape=shape,
            random_seed=random_seed,
        ),
        rope,
    )
    null = found[:, np.array(truths) == 0]
    claimed = np.isin(null, ("better", "worse")).any(-1)
    guessed = ~np.isin(null, ("practically the same", "cannot tell")).all(-1)
    count = int(claimed.sum())
    high = beta.ppf(LEVEL, count + 1, studies - count) if count < studies else 1.0
    return Rates(
        truth=truth,
        seeds=seeds,
        family=family,
        studies=studies,
        verdicts={name: float(np.mean(found[:, 0] == name)) for name in VERDICTS},
        claims=float(claimed.mean()),
        claims_high=float(high),
        guesses=float(guessed.mean()),
    )


def power_table(
    noise: Noise,
    *,
    seeds: int = 8,
    family: int = 1,
    rope: float = ROPE,
    truths: Sequence[float] = TRUTHS,
    studies: int = STUDIES,
) -> list[Rates]:
    """Counts the verdicts at several true differences: 0, 2, 5 and 10 points.

    Args:
        noise, seeds, family, rope, studies: As in `verdict_rates`.
        truths: The true differences.

    Returns:
        A `Rates` for each.
    """
    return [
        verdict_rates(
            noise,
            truth=truth,
            seeds=seeds,
            family=family,
            rope=rope,
            studies=studies,
        )
        for truth in truths
    ]


def _draws(rng: np.random.Generator, shape: Shape, size: tuple[int, ...]) -> np.ndarray:
    """Draws numbers with mean 0, a difference of two sides having variance 2."""
    if shape == "one side in two groups":
        drawn = _draws(rng, "two groups", size) * np.sqrt(2)
        drawn[:, -1] = 0
        return drawn
    if shape == "bell":
        return rng.standard_normal(size)
    if shape == "outliers":
        return rng.standard_t(3, size) / np.sqrt(3)
    fails = 0.3
    high, low = np.sqrt(fails / (1 - fails)), -np.sqrt((1 - fails) / fails)
    return np.where(rng.random(size) < fails, low, high)
