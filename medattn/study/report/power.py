"""The section of the design: how often is such a study wrong, what can it show?"""

from collections.abc import Mapping, Sequence
from typing import Any

from medattn.study.analyse.contrasts import CONTRASTS, cell_differences
from medattn.study.analyse.planned import planned_cells
from medattn.study.analyse.results import Row
from medattn.study.analyse.simulate import (
    STUDIES,
    Noise,
    Rates,
    estimate_noise,
    power_table,
    verdict_rates,
)
from medattn.study.analyse.statistics import ROPE, minimum_seeds
from medattn.study.plan.preregistration import Preregistration
from medattn.study.report import page

# Seeds that must be complete before their spread is worth a simulation.
MINIMUM = 3


def power_section(
    rows: Sequence[Row], preregistration: Preregistration | None = None
) -> list[page.Section]:
    """Simulates studies of this design, with the noise that these results show.

    Args:
        rows: Results of one study.
        preregistration: What was registered, if anything: a line is then a family, with
            the noisiest of its contrasts and its registered seeds.

    Returns:
        A list of one `page.Section`; empty if no contrast has three seeds.
    """
    designs = (
        _planned_designs(rows, preregistration)
        if preregistration is not None
        else _designs(rows)
    )
    if not designs:
        return []
    lines, skewed = [], 0.0
    for name, noise, seeds, family, rope in designs:
        rates = power_table(noise, seeds=seeds, family=family, rope=rope)
        lines.append(_line(name, noise, rates))
        one_side = verdict_rates(
            noise,
            seeds=seeds,
            family=family,
            rope=rope,
            shape="one side in two groups",
        )
        skewed = max(skewed, one_side.claims)
    heads = (
        "contrast", "spread, points", "seeds", "contrasts of the family",
        "false claims [upper end]", "false claims or guesses", "same, if none",
        *(f"shown at {100 * one.truth:g} points" for one in rates[1:]),
    )  # fmt: skip
    return [
        page.Section(
            "What such a study can show",
            [
                f"{STUDIES:,} studies were simulated for every line and true "
                "difference, with the spread of the seeds' mean differences that these "
                "results have (two-way analysis of variance over seeds and cells). "
                "False claims: studies without any difference that say better or worse "
                "of one contrast of the family or more, with the upper end of the "
                "one-sided 95% interval of that rate. False claims or guesses: those "
                "that say so or probably so; the level of 5% holds for claims and not "
                "for guesses.",
                "Shown: studies that say better of a contrast with this true "
                "difference, the others of its family having none; behind the plus, "
                "those that say probably better.",
                "The level holds if a seed's difference is as likely as its negative. "
                "At worst, if three of ten trainings never take off on one side, the "
                "other side does not vary, and the means are equal, up to "
                f"{skewed:.0%} of these families make a false claim.",
            ],
            tables=[page.Table(heads, lines)],
            level=3,
        )
    ]


def _line(name: str, noise: Noise, rates: Sequence[Rates]) -> tuple[str, ...]:
    none = rates[0]
    shown = []
    for one in rates[1:]:
        probably = one.verdicts["probably better"]
        text = f"{one.verdicts['better']:.0%}"
        shown.append(text + (f" + {probably:.0%}" if probably >= 0.005 else ""))
    return (
        name,
        f"{100 * noise.of_means:.2f}",
        str(none.seeds),
        str(none.family),
        f"{none.claims:.1%} [{none.claims_high:.1%}]",
        f"{none.guesses:.1%}",
        f"{none.verdicts['practically the same']:.0%}",
        *shown,
    )


def _planned_designs(
    rows: Sequence[Row], preregistration: Preregistration
) -> list[tuple[str, Noise, int, int, float]]:
    """Lists the families: name, noise of the noisiest contrast, seeds, size, region."""
    found = []
    for (hypothesis, _), planned in preregistration.families().items():
        noises = [
            (noise, len(contrast.seeds), contrast.rope)
            for contrast in planned
            if contrast.kind == "difference"
            and (noise := _noise(planned_cells(rows, contrast))) is not None
        ]
        if noises:
            noise, seeds, rope = max(noises, key=lambda one: one[0].of_means)
            found.append((hypothesis, noise, seeds, len(planned), rope))
    return found


def _designs(rows: Sequence[Row]) -> list[tuple[str, Noise, int, int, float]]:
    """Lists the contrasts that were not registered, with the seeds of these results."""
    seeds = len({row["seed"] for row in rows})
    enough = minimum_seeds(len(CONTRASTS))
    found = []
    for name in CONTRASTS:
        noise = _noise(cell_differences(rows, name, "auroc"))
        if noise is not None:
            found.append((name, noise, seeds, len(CONTRASTS), ROPE))
            if seeds < enough:
                more = f"{name}, with the minimum of seeds"
                found.append((more, noise, enough, len(CONTRASTS), ROPE))
    return found


def _noise(cells: Mapping[Any, Mapping[int, float]]) -> Noise | None:
    """Estimates the noise of a contrast, if enough seeds have all its cells."""
    if not cells:
        return None
    common = set.intersection(*(set(seeds) for seeds in cells.values()))
    return estimate_noise(cells) if len(common) >= MINIMUM else None
