"""The planned contrasts, with differences taken within a seed.

A seed is the unit: the same seed gives every network the same subset, so differences
are taken within a seed, averaged over its cells (data sets, regimes, trunks), and the
seeds' averages are compared. Cells of one seed share images and add no evidence.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np

from medattn.study.analyse.statistics import (
    ROPE,
    Comparison,
    compare_differences,
    holm,
    mean_interval,
    verdict,
)
from medattn.study.plan.trial import SHAPES

Row: TypeAlias = Mapping[str, Any]
Side: TypeAlias = Callable[[Row], Literal[0, 1] | None]

TRUNKS = ("densenet", "resnet")


def gate_of(row: Row) -> str | None:
    """Names a row's gate: `"none"`, `"se"`, `"cbam"`; None of a transformer."""
    name = row["model"]
    if not any(trunk in name for trunk in TRUNKS):
        return None
    return next((gate for gate in ("se", "cbam") if name.startswith(gate)), "none")


def _side(of: Callable[[Row], str | None], one: str, zero: str) -> Side:
    """Makes a function that puts a row on side 1, on side 0, or on none."""

    def side(row: Row) -> Literal[0, 1] | None:
        value = of(row)
        return 1 if value == one else 0 if value == zero else None

    return side


def _start_of(row: Row) -> str:
    return "scratch" if row["initialisation"] == "random" else "pretrained"


def _architecture_of(row: Row) -> str | None:
    """Names a transformer, or a convolutional network without a gate."""
    return {None: "deit", "none": "cnn"}.get(gate_of(row))


# The contrasts that were planned; Holm's correction counts these and no others. Each
# gives the side of a row of results, or None.
CONTRASTS: dict[str, Side] = {
    "SE − none": _side(gate_of, "se", "none"),
    "CBAM − none": _side(gate_of, "cbam", "none"),
    "pretrained − scratch": _side(_start_of, "pretrained", "scratch"),
    "transformer − convolution": _side(_architecture_of, "deit", "cnn"),
}
# What both sides of a difference have in common, besides the seed.
MATCHED = {
    "SE − none": ("dataset", "regime", "initialisation", "shortcut", "trunk"),
    "CBAM − none": ("dataset", "regime", "initialisation", "shortcut", "trunk"),
    "pretrained − scratch": ("dataset", "regime", "shortcut", "model"),
    "transformer − convolution": ("dataset", "regime", "initialisation", "shortcut"),
}


def paired_differences(
    rows: Iterable[Row], contrast: str, metric: str = "auroc"
) -> dict[int, float]:
    """Averages the differences of a contrast within each seed.

    Args:
        rows: Results, as `gather_results` gives them.
        contrast: A name in `CONTRASTS`.
        metric: A column.

    Returns:
        `{seed: mean difference}` over the cells, of the seeds that have all of them. A
        seed that lacks most cells has only started, and is left out; so is, then, a
        cell that most seeds lack, for its trials failed.
    """
    cells = _cell_differences(rows, contrast, metric)
    if not cells:
        return {}
    counts = Counter(seed for seeds in cells.values() for seed in seeds)
    complete = {seed for seed, count in counts.items() if count >= len(cells) / 2}
    cells = {
        cell: seeds
        for cell, seeds in cells.items()
        if len(complete & set(seeds)) > len(complete) / 2
    }
    if not cells:
        return {}
    common = set.intersection(*(set(seeds) for seeds in cells.values()))
    return {
        seed: float(np.mean([seeds[seed] for seeds in cells.values()]))
        for seed in sorted(common)
    }


def contrast_table(
    rows: Iterable[Row],
    metric: str = "auroc",
    *,
    rope: float = ROPE,
    better: Literal["high", "low"] = "high",
) -> dict[str, Comparison]:
    """Computes all planned contrasts that the results hold, with Holm over them.

    Args:
        rows: Results.
        metric: A column.
        rope: See `compare`.
        better: Which end of the metric is: `"high"`, or `"low"`, whose differences
            change their sign, so that a positive one is always an improvement.

    Returns:
        `{contrast: Comparison}`; a contrast with fewer than two seeds is left out.
    """
    rows = list(rows)
    sign = {"high": 1, "low": -1}[better]
    comparisons = {}
    for name in CONTRASTS:
        differences = paired_differences(rows, name, metric).values()
        signed = np.array([sign * difference for difference in differences])
        if len(signed) >= 2:
            comparisons[name] = compare_differences(signed, len(CONTRASTS), rope)
    # A planned contrast that these results cannot answer counts all the same.
    missing = [1.0] * (len(CONTRASTS) - len(comparisons))
    corrected = holm([one.p for one in comparisons.values()] + missing)
    corrected = corrected[: len(comparisons)]
    return {
        name: replace(one, p_holm=p, verdict=verdict(one, p))
        for (name, one), p in zip(comparisons.items(), corrected, strict=True)
    }


def contrasts_by(
    rows: Iterable[Row], factor: str, metric: str = "auroc"
) -> dict[str, dict[Any, tuple[float, float, float, int]]]:
    """Describes the contrasts within each level of a factor: intervals, no tests.

    Args:
        rows: Results.
        factor: A column, `"regime"` for instance.
        metric: Another.

    Returns:
        `{contrast: {level: (mean, low, high, seeds)}}`.
    """
    rows = list(rows)
    levels = sorted({row[factor] for row in rows if row["dataset"] != SHAPES})
    table: dict[str, dict[Any, tuple[float, float, float, int]]] = {}
    for name in CONTRASTS:
        for level in levels:
            part = [row for row in rows if row[factor] == level]
            seeds = list(paired_differences(part, name, metric).values())
            if len(seeds) >= 2:
                mean, low, high = mean_interval(np.array(seeds))
                table.setdefault(name, {})[level] = (mean, low, high, len(seeds))
    return table


def _cell_differences(
    rows: Iterable[Row], contrast: str, metric: str
) -> dict[tuple, dict[int, np.floating]]:
    """Computes the differences of a contrast by cell and seed."""
    side, matched = CONTRASTS[contrast], MATCHED[contrast]
    values: dict[tuple, dict[int, tuple[list[float], list[float]]]] = {}
    for row in rows:
        index = side(row)
        if index is None or row.get(metric) is None or row["dataset"] == SHAPES:
            continue
        cell = tuple(_trunk(row) if key == "trunk" else row[key] for key in matched)
        sides = values.setdefault(cell, {}).setdefault(row["seed"], ([], []))
        sides[index].append(row[metric])
    differences = {
        cell: {
            seed: np.mean(one) - np.mean(zero)
            for seed, (zero, one) in seeds.items()
            if one and zero
        }
        for cell, seeds in values.items()
    }
    return {cell: seeds for cell, seeds in differences.items() if seeds}


def _trunk(row: Row) -> str:
    return row["model"].removeprefix("se_").removeprefix("cbam_")
