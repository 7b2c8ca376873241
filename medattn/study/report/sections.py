"""The sections of every study of ours: scores, planned contrasts, calibration."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from medattn.figures import charts
from medattn.study.analyse.calibration_table import BinRow
from medattn.study.analyse.contrasts import CONTRASTS, contrast_table, contrasts_by
from medattn.study.analyse.results import Row
from medattn.study.analyse.statistics import (
    ROPE,
    Comparison,
    mean_interval,
    minimum_seeds,
    sentence,
)
from medattn.study.report import page

Point: TypeAlias = tuple[float, float, float | None, float | None]
Panels: TypeAlias = dict[str, dict[str, list[Point]]]  # data set: {network: points}


def panels_by_regime(rows: Sequence[Row], metric: str) -> Panels:
    """Groups rows for `regime_figure`; `(regime, mean, low, high)` over the seeds."""
    panels: Panels = {}
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        for label in sorted({_label(row) for row in rows}, key=_order):
            mine = [r for r in rows if r["dataset"] == dataset and _label(r) == label]
            points = []
            for regime in sorted({row["regime"] for row in mine}):
                cell = [
                    r
                    for r in mine
                    if r["regime"] == regime and r.get(metric) is not None
                ]
                if cell:
                    points.append((regime, *_interval(cell, metric)))
            if points:
                panels.setdefault(dataset, {})[label] = points
    return panels


def _label(row: Row) -> str:
    label = row["model"]
    if row["initialisation"] != "random":
        label += f", from {row['initialisation']}"
    if row["shortcut"] is not None:
        label += f", shortcut {row['shortcut']:g}"
    return label


def _order(label: str) -> tuple[int, int, str]:
    """Orders networks by gate and trunk."""
    gate, trunk = charts.model_look(label)
    return list(charts.GATES).index(gate), list(charts.TRUNKS).index(trunk), label


def from_scratch(rows: Sequence[Row]) -> list[str]:
    """Names the series to draw hollow: those from scratch, if others are not."""
    starts = {row["initialisation"] for row in rows}
    if len(starts) < 2:
        return []
    return sorted({_label(row) for row in rows if row["initialisation"] == "random"})


def _interval(
    cell: Sequence[Row], metric: str
) -> tuple[float, float | None, float | None]:
    values = [row[metric] for row in cell]
    if len(values) > 1:
        return mean_interval(values)
    return values[0], cell[0].get(f"{metric}_low"), cell[0].get(f"{metric}_high")


def score_table(rows: Sequence[Row]) -> page.Table:
    """Lists every score of every cell, means over the seeds, in a folded table."""
    columns = {
        "AUROC": "auroc",
        "average precision": "average_precision",
        "balanced accuracy": "balanced_accuracy",
        "sensitivity at 95% specificity": "sensitivity_at_95_specificity",
        "Brier": "brier",
        "ECE": "ece",
        "accuracy": "accuracy",
        "always the commoner": "majority_accuracy",
    }
    lines = []
    cells = dict.fromkeys((r["dataset"], r["regime"], _label(r)) for r in rows)
    for cell in sorted(cells, key=lambda c: (c[0], c[1])):
        mine = [r for r in rows if (r["dataset"], r["regime"], _label(r)) == cell]
        known = {
            key: [r[key] for r in mine if r.get(key) is not None]
            for key in columns.values()
        }
        means = [f"{np.mean(v):.3f}".lstrip("0") if v else "" for v in known.values()]
        dataset, regime, label = cell
        lines.append((dataset, f"{100 * regime:g}%", label, str(len(mine)), *means))
    return page.Table(
        ("data set", "data", "network", "seeds", *columns), lines, folded="all scores"
    )


def contrast_sections(rows: Sequence[Row]) -> list[page.Section]:
    """Makes the section of the planned contrasts: sentences, forest, table.

    Args:
        rows: Results of one study.

    Returns:
        A list of one `page.Section`.
    """
    table = contrast_table(rows)
    text = [
        "Four contrasts were planned before the study. Differences of AUROC are taken "
        "within a seed, where both networks saw the same images, and averaged; the "
        f"shaded region, ±{100 * ROPE:g} point, is practically no difference. A filled "
        "point has an interval without zero; by regime they describe and test nothing."
    ]
    if not table:
        text.append(
            "Fewer than two seeds are complete, so there is nothing to pair: cannot "
            f"tell. {minimum_seeds(len(CONTRASTS))} seeds are the minimum for "
            f"{len(CONTRASTS)} contrasts."
        )
        return [page.Section("Is it the attention?", text, level=3)]
    text += _limits(table, len({row["seed"] for row in rows}))
    figure = charts.forest_figure(
        _forest_lines(rows, table), label="difference of AUROC", rope=ROPE
    )
    return [
        page.Section(
            "Is it the attention?",
            text,
            figures=[("Planned contrasts, overall and by amount of data.", figure)],
            tables=[_contrast_facts(table)],
            level=3,
        )
    ]


def _limits(table: dict[str, Comparison], seeds: int) -> list[str]:
    """Writes a sentence a contrast, and what limits them."""
    text = []
    minimum = minimum_seeds(len(CONTRASTS))
    if seeds < minimum:
        text.append(
            f"{seeds} seeds can show nothing at the level that Holm demands of "
            f"{len(CONTRASTS)} contrasts, however large it is; {minimum} could."
        )
    text += [sentence(name, one) for name, one in table.items()]
    left = seeds - min(one.seeds for one in table.values())
    if left:
        text.append(
            f"{left} of the {seeds} seeds {'is' if left == 1 else 'are'} not in every "
            "contrast, because some of their trials failed or have not ended."
        )
    return text


def _forest_lines(
    rows: Sequence[Row], table: dict[str, Comparison]
) -> list[tuple[str, float, float, float, str]]:
    """Lists the contrasts, each followed by what it is at every amount of data."""
    by_regime = contrasts_by(rows, "regime")
    lines: list[tuple[str, float, float, float, str]] = []
    for name, one in table.items():
        lines.append((name, one.mean, one.low, one.high, one.verdict))
        for regime, (mean, low, high, _) in by_regime.get(name, {}).items():
            lines.append((f"at {100 * regime:g}%", mean, low, high, ""))
    return lines


def _contrast_facts(table: dict[str, Comparison]) -> page.Table:
    heads = (
        "contrast",
        "seeds",
        "points [95%]",
        "P(better)",
        "p",
        "p (Holm)",
        "worse / same / better",
        "smallest detectable, points",
        "verdict",
    )
    lines = [
        (
            name,
            str(one.seeds),
            page.points(one.mean, one.low, one.high),
            f"{one.superiority:.2f}",
            f"{one.p:.3f}",
            f"{one.p_holm:.3f}",
            f"{one.worse:.2f} / {one.same:.2f} / {one.better:.2f}",
            "none" if np.isinf(one.detectable) else f"{100 * one.detectable:.2f}",
            one.verdict,
        )
        for name, one in table.items()
    ]
    return page.Table(heads, lines)


def calibration_sections(bins: Sequence[BinRow]) -> list[page.Section]:
    """Makes the section of the calibration, of the largest amount of data.

    Args:
        bins: Rows of `calibration_table.count_bins`.

    Returns:
        A list of one `page.Section`; empty if there are no bins.
    """
    if not bins:
        return []
    regime = max(row["regime"] for row in bins)
    panels: dict[str, dict[str, list[tuple[float, float, int]]]] = {}
    for row in bins:
        if row["regime"] == regime:
            series = panels.setdefault(row["dataset"], {})
            series.setdefault(_label(row), []).append(
                (row["said"], row["happened"], row["images"])
            )
    curves = {
        dataset: {
            label: tuple(np.array(series[label]).T)
            for label in sorted(series, key=_order)
        }
        for dataset, series in panels.items()
    }
    return [
        page.Section(
            "Calibration",
            [
                f"Trained on {100 * regime:g}% of the data; all seeds' predictions "
                f"together, bins with {charts.MINIMUM_IMAGES} images or more. On the "
                "dashed line a prediction is true as often as its probability says."
            ],
            figures=[
                (
                    "Predicted probability, and how often it is true.",
                    charts.calibration_figure(curves),
                )
            ],
            level=3,
        )
    ]
