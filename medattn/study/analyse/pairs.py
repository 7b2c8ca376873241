"""Two networks beside each other over the seeds of a study, for whoever asks."""

from medattn.study.analyse.statistics import compare

PLAIN = {"initialisation": "random", "shortcut": None, "state": "done"}


def compare_networks(rows, first, second, *, metric="auroc", where=PLAIN):
    """Compares two networks of a study, paired by seed.

    The same seed gave both the same subset of the data and the same order, so the
    differences are taken within a seed. This is one look, at level 0.05; the planned
    contrasts, with Holm's correction, are `contrast_table`'s.

    Args:
        rows: Results of one study, as `read_results` gives them.
        first: What the first network's rows have in their columns, such as
            `{"dataset": "fundus", "model": "se_micro_resnet", "regime": 0.1}`.
        second: The second's likewise.
        metric: A column, higher is better.
        where: What the rows of both have.

    Returns:
        A `Comparison`, of first minus second; None with fewer than two common seeds.
    """
    sides = [_by_seed(rows, {**where, **side}, metric) for side in (first, second)]
    common = sorted(set(sides[0]) & set(sides[1]))
    if len(common) < 2:
        return None
    return compare(*([side[seed] for seed in common] for side in sides))


def _by_seed(rows, wanted, metric):
    """Finds a metric of the wanted rows, by seed."""
    return {
        row["seed"]: row[metric]
        for row in rows
        if row.get(metric) is not None
        and all(row.get(key) == value for key, value in wanted.items())
    }
