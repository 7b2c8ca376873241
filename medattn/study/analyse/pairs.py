"""Two networks compared over the seeds of a study."""

from collections.abc import Iterable, Mapping
from typing import Any

from medattn.study.analyse.statistics import Comparison, compare

PLAIN = {"initialisation": "random", "shortcut": None, "state": "done"}


def compare_networks(
    rows: Iterable[Mapping[str, Any]],
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    *,
    metric: str = "auroc",
    where: Mapping[str, Any] = PLAIN,
) -> Comparison | None:
    """Compares two networks of a study, paired by seed.

    The same seed gave both the same subset of the data and the same order, so the
    differences are taken within a seed. This is one comparison, at level 0.05; the
    planned contrasts, with Holm's correction, are in `contrast_table`.

    Args:
        rows: Results of one study, as `read_results` gives them.
        first: Columns and values of the first network's rows, such as
            `{"dataset": "fundus", "model": "se_micro_resnet", "regime": 0.1}`.
        second: The second's likewise.
        metric: A column, higher is better.
        where: Columns and values of the rows of both.

    Returns:
        A `Comparison`, of first minus second; None with fewer than two common seeds.
    """
    rows = list(rows)
    one, other = (
        _by_seed(rows, {**where, **network}, metric) for network in (first, second)
    )
    common = sorted(set(one) & set(other))
    if len(common) < 2:
        return None
    return compare([one[seed] for seed in common], [other[seed] for seed in common])


def _by_seed(
    rows: Iterable[Mapping[str, Any]], wanted: Mapping[str, Any], metric: str
) -> dict[int, float]:
    """Finds a metric of the wanted rows, by seed."""
    return {
        row["seed"]: row[metric]
        for row in rows
        if row.get(metric) is not None
        and all(row.get(key) == value for key, value in wanted.items())
    }
