"""The sections that every study of ours fills: scores and planned contrasts."""

import numpy as np

from medattn.figures import charts
from medattn.study.analyse.statistics import (
    CONTRASTS,
    ROPE,
    contrast_table,
    contrasts_by,
    least_seeds,
    mean_interval,
    sentence,
)
from medattn.study.report import page


def panels_by_regime(rows, metric):
    """Groups rows for `regime_figure`; `(regime, mean, low, high)` over the seeds."""
    panels = {}
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        for label in sorted({_label(row) for row in rows}, key=_place):
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


def _label(row):
    label = row["model"]
    if row["initialisation"] != "random":
        label += f", from {row['initialisation']}"
    if row["shortcut"] is not None:
        label += f", shortcut {row['shortcut']:g}"
    return label


def _place(label):
    """Orders networks by gate and trunk, as a reader looks for them."""
    gate, trunk = charts.model_look(label)
    return list(charts.GATES).index(gate), list(charts.TRUNKS).index(trunk), label


def random_ones(rows):
    """Names the series to draw hollow: those from scratch, if any is not."""
    starts = {row["initialisation"] for row in rows}
    if len(starts) < 2:
        return set()
    return {_label(row) for row in rows if row["initialisation"] == "random"}


def _interval(cell, metric):
    values = [row[metric] for row in cell]
    if len(values) > 1:
        return mean_interval(values)
    return values[0], cell[0].get(f"{metric}_low"), cell[0].get(f"{metric}_high")


def score_table(rows):
    """Lists every score of every cell, means over the seeds, folded away."""
    columns = {
        "AUROC": "auroc",
        "average precision": "average_precision",
        "balanced accuracy": "balanced_accuracy",
        "sensitivity at 95% specificity": "sensitivity_at_95_specificity",
        "Brier": "brier",
        "ECE": "ece",
        "accuracy": "accuracy",
        "of the commoner class": "majority_accuracy",
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


def contrast_sections(rows):
    """Makes the section of the planned contrasts: sentences, forest, table."""
    table = contrast_table(rows)
    seeds = len({row["seed"] for row in rows})
    text = [
        "Four contrasts were planned before the study. Differences of AUROC are taken "
        "within a seed, where both networks saw the same images, and averaged; the "
        f"shaded region, ±{100 * ROPE:g} point, is practically no difference. A filled "
        "point has an interval without zero; by regime they describe and test nothing."
    ]
    if not table:
        text.append(
            "Fewer than two seeds are complete, so there is nothing to pair: cannot "
            f"tell. {least_seeds(len(CONTRASTS))} seeds are the fewest that can show "
            f"{len(CONTRASTS)} contrasts."
        )
        return [page.Section("Is it the attention?", text, level=3)]
    least = least_seeds(len(CONTRASTS))
    if seeds < least:
        text.append(
            f"{seeds} seeds can show nothing at the level that Holm asks of "
            f"{len(CONTRASTS)} contrasts, however large it is; {least} could."
        )
    text += [sentence(name, one) for name, one in table.items()]
    left = seeds - min(one.seeds for one in table.values())
    if left:
        text.append(
            f"{left} of the {seeds} seeds {'is' if left == 1 else 'are'} not in every "
            "contrast, for some of their trials failed or have not ended."
        )
    lines, by_regime = [], contrasts_by(rows, "regime")
    for name, one in table.items():
        lines.append((name, one.mean, one.low, one.high, one.verdict))
        for regime, (mean, low, high, _) in by_regime.get(name, {}).items():
            lines.append((f"at {100 * regime:g}%", mean, low, high, ""))
    facts = [
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
    heads = (
        "contrast",
        "seeds",
        "points [95%]",
        "P(better)",
        "p",
        "p (Holm)",
        "worse / same / better",
        "smallest visible, points",
        "verdict",
    )
    return [
        page.Section(
            "Is it the attention?",
            text,
            figures=[
                (
                    "Planned contrasts, overall and by amount of data.",
                    charts.forest_figure(lines, label="difference of AUROC", rope=ROPE),
                )
            ],
            tables=[page.Table(heads, facts)],
            level=3,
        )
    ]


def calibration_sections(bins):
    """Makes the section of the calibration, of the largest amount of data.

    Args:
        bins: What `calibration_table.count_bins` gave.

    Returns:
        A list of one `page.Section`; empty if there are no bins.
    """
    if not bins:
        return []
    regime = max(line["regime"] for line in bins)
    panels = {}
    for line in bins:
        if line["regime"] == regime:
            series = panels.setdefault(line["dataset"], {})
            series.setdefault(_label(line), []).append(
                (line["said"], line["happened"], line["images"])
            )
    curves = {
        dataset: {
            label: np.array(series[label]).T for label in sorted(series, key=_place)
        }
        for dataset, series in panels.items()
    }
    return [
        page.Section(
            "Calibration",
            [
                f"Trained on {100 * regime:g}% of the data; all seeds' predictions "
                f"together, bins with {charts.MINIMUM_IMAGES} images or more. On the dashed "
                "line what is called likely is true as often as it was said."
            ],
            figures=[
                (
                    "What is called likely, and how often it is true.",
                    charts.calibration_figure(curves),
                )
            ],
            level=3,
        )
    ]
