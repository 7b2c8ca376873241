"""The sections that a study of ours fills: scores, contrasts, maps, calibration."""

from pathlib import Path

import numpy as np

from medattn import charts
from medattn.study import page
from medattn.study.scores import BINS
from medattn.study.statistics import (
    CONTRASTS,
    ROPE,
    contrast_table,
    contrasts_by,
    least_seeds,
    mean_interval,
    sentence,
)


def panels_by_regime(rows, metric):
    """Groups rows for `regime_figure`; `(regime, mean, low, high)` over the seeds."""
    panels = {}
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        for label in dict.fromkeys(_label(row) for row in rows):
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
    table = contrast_table(rows)
    seeds = len({row["seed"] for row in rows})
    text = [
        "Four contrasts were planned before the study. Differences of AUROC are taken "
        "within a seed, where both networks saw the same images, and averaged; the "
        f"shaded region, ±{100 * ROPE:g} point, is practically no difference. A filled "
        "point has an interval without zero."
    ]
    if not table:
        text.append(
            f"With {seeds} seed{'s' * (seeds > 1)} there is nothing to pair: cannot "
            f"tell. {least_seeds(len(CONTRASTS))} seeds are the fewest that can show "
            f"{len(CONTRASTS)} contrasts."
        )
        return [page.Section("Is it the attention?", text)]
    least = least_seeds(len(CONTRASTS))
    if seeds < least:
        text.append(
            f"{seeds} seeds can show nothing at the level that Holm asks of "
            f"{len(CONTRASTS)} contrasts, however large it is; {least} could."
        )
    text += [sentence(name, one) for name, one in table.items()]
    lines, by_regime = [], contrasts_by(rows, "regime")
    for name, one in table.items():
        lines.append((name, one.mean, one.low, one.high, one.verdict))
        for regime, (mean, low, high, _) in by_regime.get(name, {}).items():
            lines.append((f"at {100 * regime:g}%", mean, low, high, ""))
    facts = [
        (
            name,
            str(one.seeds),
            f"{100 * one.mean:+.2f} [{100 * one.low:+.2f}, {100 * one.high:+.2f}]",
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
        )
    ]


def map_sections(rows):
    metrics = sorted({key for row in rows for key in row if ":" in key})
    drawn = [
        m for m in metrics if not m.split(":")[1].startswith(("random_", "edges_"))
    ]
    if not drawn:
        return []
    figures, text = (
        [],
        [
            "Means over positives of the test set. The dashed line is what a map of "
            "noise scores where that is known."
        ],
    )
    for metric in drawn:
        analyzer, quality = metric.split(":")
        panels = panels_by_regime(rows, metric)
        if not panels:
            continue
        noise = {
            dataset: np.mean(
                [
                    row[f"{analyzer}:random_relevance_mass"]
                    for row in rows
                    if row["dataset"] == dataset
                    and row.get(f"{analyzer}:random_relevance_mass")
                ]
                or [np.nan]
            )
            for dataset in panels
        }
        chart = charts.regime_figure(
            panels, label=quality.replace("_", " "), hollow=random_ones(rows)
        )
        if quality == "relevance_mass":
            for axis, value in zip(chart.axes, noise.values(), strict=False):
                axis.axhline(value, color=charts.GREY, ls="--", lw=1.2)
        figures.append((f"{analyzer}: {quality.replace('_', ' ')}.", chart))
        table = contrast_table(rows, metric)
        text += [f"{analyzer}, {sentence(name, one)}" for name, one in table.items()]
    return [page.Section("Where the maps point", text, figures=figures)]


def calibration_sections(rows, folder):
    panels = {}
    regime = max(row["regime"] for row in rows)
    for row in rows:
        path = Path(folder or ".") / row["id"] / "predictions.npz"
        if row["regime"] != regime or not path.exists():
            continue
        with np.load(path) as arrays:
            chance, labels = arrays["test_probabilities"], arrays["test_labels"]
        if chance.shape[1] == 2:
            series = panels.setdefault(row["dataset"], {})
            series.setdefault(_label(row), []).append((chance[:, 1], labels == 1))
    if not panels:
        return []
    curves = {
        dataset: {label: _reliability(*map(np.concatenate, zip(*parts, strict=True)))
                  for label, parts in series.items()}
        for dataset, series in panels.items()
    }  # fmt: skip
    chart = charts.calibration_figure(curves)
    return [
        page.Section(
            "Calibration",
            [f"Trained on {100 * regime:g}% of the data; all seeds' predictions "
             "together, bins with five images or more."],
            figures=[("What is called likely, and how often it is true.", chart)],
        )
    ]  # fmt: skip


def _reliability(score, sick):
    place = np.minimum((score * BINS).astype(int), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    safe = np.maximum(count, 1)
    said = np.bincount(place, weights=score, minlength=BINS) / safe
    return (
        said,
        np.bincount(place, weights=sick.astype(float), minlength=BINS) / safe,
        count,
    )
