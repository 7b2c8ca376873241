"""The pre-registered contrasts, computed from results as they were registered.

Nothing is chosen here: cells, seeds, metric, family and region of equivalence are those
of the registration, whatever the results hold besides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from medattn.study.analyse.pairs import PLAIN
from medattn.study.analyse.statistics import (
    Comparison,
    compare_differences,
    holm,
    verdict,
)
from medattn.study.plan.preregistration import (
    Cell,
    Network,
    PlannedContrast,
    Preregistration,
)

Row: TypeAlias = Mapping[str, Any]
Values: TypeAlias = dict[tuple[str, str, float, int], float]  # by network and seed


def planned_table(
    rows: Iterable[Row], preregistration: Preregistration
) -> dict[str, Comparison | None]:
    """Computes every registered contrast, with Holm over its family, and its verdict.

    Args:
        rows: Results of one study and one version of the code.
        preregistration: What was registered.

    Returns:
        `{contrast.key: Comparison}` in the order of the registration; None of one that
        no seed can answer yet, which counts in its family all the same, with p = 1.
        It is interim if it has fewer seeds than `contrast.seeds`.

    Raises:
        ValueError: If the rows hold a network and seed twice.
    """
    rows = list(rows)
    found: dict[str, Comparison | None] = {}
    for planned in preregistration.families().values():
        compared = [_comparison(rows, contrast, len(planned)) for contrast in planned]
        corrected = holm([1.0 if one is None else one.p for one in compared])
        for contrast, one, p in zip(planned, compared, corrected, strict=True):
            found[contrast.key] = one and replace(
                one, p_holm=p, verdict=verdict(one, p)
            )
    return {contrast.key: found[contrast.key] for contrast in preregistration.contrasts}


def planned_values(rows: Iterable[Row], contrast: PlannedContrast) -> dict[int, float]:
    """Averages a contrast over its cells within each seed.

    Args:
        rows: As in `planned_table`.
        contrast: A registered contrast.

    Returns:
        `{seed: mean over the cells}` of the registered seeds that have all cells.

    Raises:
        ValueError: As in `planned_table`.
    """
    cells = planned_cells(rows, contrast)
    return {
        seed: float(np.mean([seeds[seed] for seeds in cells.values()]))
        for seed in contrast.seeds
        if all(seed in seeds for seeds in cells.values())
    }


def planned_cells(
    rows: Iterable[Row], contrast: PlannedContrast
) -> dict[Cell, dict[int, float]]:
    """Computes a contrast in every cell and seed.

    Args:
        rows: As in `planned_table`.
        contrast: A registered contrast.

    Returns:
        `{cell: {seed: difference or correlation}}` for all registered cells; a seed
        that lacks a network of a cell is not in it.

    Raises:
        ValueError: As in `planned_table`.
    """
    rows = list(rows)
    values = _values(rows, contrast.metric)
    against = _values(rows, contrast.against) if contrast.against else {}
    found: dict[Cell, dict[int, float]] = {}
    for cell, (one, other) in contrast.cells().items():
        dataset, regime, _ = cell
        seeds = found.setdefault(cell, {})
        for seed in contrast.seeds:
            first = _of(values, one, dataset, regime, seed)
            second = (
                _of(against, one, dataset, regime, seed)
                if contrast.kind == "correlation"
                else _of(values, other, dataset, regime, seed)
            )
            if first is None or second is None:
                continue
            value = (
                spearman(first, second)
                if contrast.kind == "correlation"
                else float(np.mean(first) - np.mean(second))
            )
            if value is not None:
                seeds[seed] = value
    return found


def missing_networks(
    rows: Iterable[Row], contrast: PlannedContrast
) -> dict[int, list[Network]]:
    """Lists what keeps a seed out of a contrast.

    Args:
        rows: As in `planned_table`.
        contrast: A registered contrast.

    Returns:
        `{seed: [(model, data set, regime)]}` of the registered seeds that have some of
        their results and lack others.

    Raises:
        ValueError: As in `planned_table`.
    """
    rows = list(rows)
    columns = [contrast.metric, *([contrast.against] if contrast.against else [])]
    known = [_values(rows, column) for column in columns]
    networks = contrast.networks()
    found = {}
    for seed in contrast.seeds:
        lacking = [
            network
            for network in networks
            if not all((*network, seed) in values for values in known)
        ]
        if 0 < len(lacking) < len(networks):
            found[seed] = lacking
    return found


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Computes the correlation of the ranks, ties with midranks.

    Args:
        first, second: Numbers, `(n,)`.

    Returns:
        In [-1, 1]; None if one side does not vary.

    Reference: Spearman, 1904, https://doi.org/10.2307/1412159
    """
    from scipy.stats import rankdata

    a, b = (rankdata(side) - (len(side) + 1) / 2 for side in (first, second))
    length = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / length) if length else None


def _comparison(
    rows: Sequence[Row], contrast: PlannedContrast, family: int
) -> Comparison | None:
    values = list(planned_values(rows, contrast).values())
    if not values:
        return None
    return compare_differences(np.array(values), family, contrast.rope)


def _values(rows: Sequence[Row], metric: str) -> Values:
    """Finds a metric by network and seed, of plain trials that are done."""
    found: Values = {}
    for row in rows:
        value = row.get(metric)
        if value is None or not np.isfinite(value):
            continue
        if any(row.get(key) != wanted for key, wanted in PLAIN.items()):
            continue
        place = row["model"], row["dataset"], row["regime"], row["seed"]
        if place in found:
            raise ValueError(
                "A registered contrast takes one result of a network and seed. "
                "Expected the results of one budget and version. Received twice: "
                f"{place}"
            )
        found[place] = value
    return found


def _of(
    values: Values, models: Sequence[str], dataset: str, regime: float, seed: int
) -> list[float] | None:
    """Finds the values of networks in one cell and seed; None if one is missing."""
    found = [values.get((model, dataset, regime, seed)) for model in models]
    known = [value for value in found if value is not None]
    return known if len(known) == len(models) else None
