"""The section of a report that shows whether networks were trained to the end."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medattn.figures.learning_curves import learning_curve_figure
from medattn.study.analyse.curves import (
    CurveRow,
    curves_path,
    mean_curves,
    read_curves,
)
from medattn.study.analyse.results import Row
from medattn.study.plan.shipped_names import is_plain
from medattn.study.report import page


def budget_sections(rows: Sequence[Row], source: str | Path) -> list[page.Section]:
    """Makes the section of learning curves, and of what each budget costs.

    Args:
        rows: Results of one study.
        source: The study's folder, or that of the shipped tables.

    Returns:
        A list of one `page.Section`, or of none if no curve is known.
    """
    study = rows[0].get("study", Path(source).name)
    curves = mean_curves(rows, source) or read_curves(curves_path(source, study))
    curves = [row for row in curves if is_plain(row)]
    if not curves:
        return []
    most = max(row["regime"] for row in curves)
    at_most = [row for row in curves if row["regime"] == most]
    text = [
        f"Validation AUROC with {100 * most:g}% of the data after so many steps, the "
        "mean over the seeds. The learning rate falls to zero at the last step, so a "
        "curve that is level at its end does not show that more steps would gain "
        "nothing: for that the pilot compares whole trainings of twice the steps.",
    ]
    figure = learning_curve_figure(_by_network(at_most))
    return [
        page.Section(
            "Trained to the end?",
            text,
            figures=[("Validation AUROC against the steps of training.", figure)],
            tables=[cost_table([row for row in rows if row["regime"] == most])],
        )
    ]


def cost_table(rows: Sequence[Row]) -> page.Table:
    """Lists what each network's budget costs beside what it reaches.

    Args:
        rows: Results of one study and one amount of data.

    Returns:
        A `page.Table` with one line a network.
    """
    lines = []
    for model in dict.fromkeys(row["model"] for row in rows):
        mine = [row for row in rows if row["model"] == model]
        budgets = sorted(
            {(r["steps"], r["batch_size"], r["learning_rate"]) for r in mine}
        )
        reached = [r["auroc"] for r in mine if r["auroc"] is not None]
        lines.append(
            (
                model,
                ", ".join(f"{steps}" for steps, _, _ in budgets),
                ", ".join(f"{images}" for _, images, _ in budgets),
                ", ".join(f"{rate:g}" for _, _, rate in budgets),
                f"{np.median([r['seconds'] for r in mine]):.0f}",
                f"{np.mean(reached):.3f}".lstrip("0") if reached else "",
            )
        )
    heads = ("network", "steps", "batch", "learning rate", "seconds a trial", "AUROC")
    return page.Table(heads, lines)


def _by_network(
    curves: Sequence[CurveRow],
) -> dict[str, dict[str, list[tuple[int, float]]]]:
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for row in curves:
        networks = found.setdefault(row["dataset"], {})
        networks.setdefault(row["model"], []).append((row["step"], row["val_auroc"]))
    return found
