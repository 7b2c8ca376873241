"""Two questions: attention or pretraining, and who relies on a shortcut?"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from medattn.figures import charts
from medattn.study.analyse.contrasts import contrast_table, contrasts_by, gate_of
from medattn.study.analyse.results import Row
from medattn.study.analyse.statistics import Comparison, mean_interval, sentence
from medattn.study.report import page
from medattn.study.report.sections import Panels, from_scratch, panels_by_regime

ANALYZER = "lrp.epsilon"
SHORTCUT_SHARE = f"{ANALYZER}:shortcut_share"
NOISE_SHARE = f"{ANALYZER}:random_shortcut_share"
RELIANCE = "shortcut_reliance"  # a column that `add_reliance` adds

Interval: TypeAlias = tuple[float, float, float]  # mean, low, high


def is_pretraining(rows: Sequence[Row]) -> bool:
    """Whether the rows hold several starts."""
    return len({row["initialisation"] for row in rows}) > 1


def is_shortcut(rows: Sequence[Row]) -> bool:
    """Whether the rows hold a planted artefact that is correlated with the label."""
    return any(row["shortcut"] for row in rows)


def pretraining_section(rows: Sequence[Row]) -> page.Section:
    """Compares gate and start: the two-way table that the published study lacks.

    Args:
        rows: Results of one study, with several starts.

    Returns:
        A `page.Section`.
    """
    panels: Panels = {}
    for gate in charts.GATES:
        of_gate = [row for row in rows if _gate(row) == gate]
        titled = [row | {"dataset": charts.GATE_NAMES[gate]} for row in of_gate]
        panels |= panels_by_regime(titled, "auroc")
    by_start = contrasts_by(rows, "initialisation")
    lines = []
    for name in ("SE − none", "CBAM − none"):
        for level, (mean, low, high, seeds) in by_start.get(name, {}).items():
            start = "random" if level == "random" else f"pretrained on {level}"
            lines.append((name, start, str(seeds), page.points(mean, low, high)))
    figure = charts.regime_figure(
        panels, label="test AUROC", hollow=from_scratch(rows), share=True
    )
    return page.Section(
        "Attention or pretraining?",
        [
            "Every gate from both starts: the lines within a panel differ in the start "
            "alone, those of one kind in two panels in the gate alone. The trunk was "
            "pretrained on drawn shapes of 16 classes, without a gate; gate and head "
            "are new from either start.",
            *_larger_difference(contrast_table(rows)),
        ],
        figures=[
            (
                "Test AUROC against training data: hollow from random weights, filled "
                "from pretrained ones.",
                figure,
            )
        ],
        tables=[
            _two_way(rows),
            page.Table(("contrast", "start", "seeds", "points [95%]"), lines),
        ],
        level=3,
    )


def _larger_difference(table: dict[str, Comparison]) -> list[str]:
    """Writes whether the start or a gate has the larger mean difference."""
    sizes = {name: abs(one.mean) for name, one in table.items()}
    start = sizes.pop("pretrained − scratch", None)
    if start is None or not sizes:
        return []
    gate = max(sizes.values())
    larger = "start" if start > gate else "gate"
    shown = [n for n, one in table.items() if one.verdict in ("better", "worse")]
    return [
        f"In these trials the larger mean difference is the {larger}'s: "
        f"{100 * start:.2f} points of the start against at most {100 * gate:.2f} "
        "of a gate. "
        + (
            f"Distinguished from chance: {', '.join(shown)}."
            if shown
            else "None of them can be distinguished from chance with these seeds."
        )
    ]


def _gate(row: Row) -> str:
    return gate_of(row) or "deit"


def _two_way(rows: Sequence[Row]) -> page.Table:
    """Lists mean AUROCs: gate and start in the lines, amounts of data beside."""
    regimes = sorted({row["regime"] for row in rows})
    lines = []
    for gate in charts.GATES:
        for start in dict.fromkeys(row["initialisation"] for row in rows):
            cell = [
                row
                for row in rows
                if _gate(row) == gate and row["initialisation"] == start
            ]
            if not cell:
                continue
            means = []
            for regime in regimes:
                values = [r["auroc"] for r in cell if r["regime"] == regime]
                means.append(_short(*mean_interval(values)) if values else "")
            seeds = len({row["seed"] for row in cell})
            lines.append((charts.GATE_NAMES[gate], start, str(seeds), *means))
    heads = ("gate", "start", "seeds", *(f"{100 * r:g}%" for r in regimes))
    return page.Table(heads, lines)


def shortcut_section(rows: Sequence[Row]) -> page.Section:
    """Shows what a planted artefact does to networks with and without a gate.

    Args:
        rows: Results of one study, some with `shortcut` 0 and some above.

    Returns:
        A `page.Section`.
    """
    rows = add_reliance(rows)
    strength = max(row["shortcut"] for row in rows if row["shortcut"] is not None)
    panels: dict[str, dict[str, list[Interval | None]]] = {}
    lines = []
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        for gate in charts.GATES:
            cell = [r for r in rows if r["dataset"] == dataset and _gate(r) == gate]
            without = [r for r in cell if not r["shortcut"]]
            planted = [r for r in cell if r["shortcut"] == strength]
            if planted:
                points = [
                    _mean(without, "auroc"),
                    _mean(planted, "auroc"),
                    _mean(planted, "auroc_with_shortcut"),
                ]
                panels.setdefault(dataset, {})[gate] = points
                lines.append(_shortcut_line(dataset, gate, points, without, planted))
    heads = (
        "data set", "gate", "seeds", "no shortcut", "means nothing", "still holds",
        "AUROC lost, points [95%]", "map on artefact, without", "with", "of noise",
    )  # fmt: skip
    return page.Section(
        "Who falls for a shortcut?",
        [
            "An artefact of the camera lies in the training images; with the shortcut "
            f"it is correlated with the label, correlation {strength:g}. The test "
            "images are the same, once with an artefact that means nothing, once with "
            "one that is correlated as in training. The AUROC lost is what the "
            "shortcut costs where it means nothing.",
            *_answers(rows, strength),
        ],
        figures=[
            (
                "Test AUROC of networks trained without and with the shortcut.",
                charts.shortcut_figure(panels),
            )
        ]
        * bool(panels),
        tables=[page.Table(heads, lines)] * bool(lines),
        level=3,
    )


def _shortcut_line(
    dataset: str,
    gate: str,
    points: Sequence[Interval | None],
    without: Sequence[Row],
    planted: Sequence[Row],
) -> tuple[str, ...]:
    lost = _mean(planted, RELIANCE)
    return (
        dataset,
        charts.GATE_NAMES[gate],
        str(len({row["seed"] for row in planted})),
        *(_short(*point) if point else "" for point in points),
        page.points(*lost) if lost else "",
        _percent(without, SHORTCUT_SHARE),
        _percent(planted, SHORTCUT_SHARE),
        _percent(planted, NOISE_SHARE),
    )


def add_reliance(rows: Sequence[Row]) -> list[Row]:
    """Adds to each row with a shortcut how much AUROC it lost against its control.

    The control is the trial of the same network, data set, regime, start and seed,
    trained on images in which the artefact means nothing.

    Args:
        rows: Results of one study.

    Returns:
        The rows with one more column, `RELIANCE`; None where nothing is known.
    """
    same = ("model", "dataset", "regime", "initialisation", "seed")
    controls = {
        tuple(row[key] for key in same): row["auroc"]
        for row in rows
        if row["shortcut"] == 0
    }
    extended = []
    for row in rows:
        control = controls.get(tuple(row[key] for key in same))
        known = row["shortcut"] and control is not None and row.get("auroc") is not None
        extended.append(row | {RELIANCE: control - row["auroc"] if known else None})
    return extended


def _answers(rows: Sequence[Row], strength: float) -> list[str]:
    """Writes what the seeds show: does a gate rely less on it, and do maps show it?"""
    planted = [row for row in rows if row["shortcut"] == strength]
    answers = []
    for question, metric in (
        ("AUROC lost (plus: the gate loses less)", RELIANCE),
        ("Relevance on the artefact (plus: less of it)", SHORTCUT_SHARE),
    ):
        for name, one in contrast_table(planted, metric, better="low").items():
            answers.append(f"{question}, {sentence(name, one)}")
    known = [row for row in rows if row.get(SHORTCUT_SHARE) is not None]
    without = [r[SHORTCUT_SHARE] for r in known if not r["shortcut"]]
    with_it = [r[SHORTCUT_SHARE] for r in known if r["shortcut"]]
    if without and with_it:
        noise = _mean(planted, NOISE_SHARE)
        answers.append(
            f"Do the maps show it? Of the relevance on evidence or artefact, "
            f"{np.mean(with_it):.0%} lie on the artefact in networks trained with the "
            f"shortcut, {np.mean(without):.0%} in those without"
            + (f"; of noise it would be {noise[0]:.0%}." if noise else ".")
        )
    return answers


def _mean(rows: Sequence[Row], metric: str) -> Interval | None:
    """Averages over the networks of each seed, then over the seeds."""
    seeds: dict[int, list[float]] = {}
    for row in rows:
        if row.get(metric) is not None:
            seeds.setdefault(row["seed"], []).append(row[metric])
    if not seeds:
        return None
    return mean_interval([float(np.mean(values)) for values in seeds.values()])


def _short(mean: float, low: float, high: float) -> str:
    """Writes an AUROC with its interval, `.981 [.975, .987]`, or alone."""

    def short(value: float) -> str:
        return f"{value:.3f}".replace("0.", ".", 1)

    if not np.isfinite(low):
        return short(mean)
    return f"{short(mean)} [{short(low)}, {short(min(high, 1.0))}]"


def _percent(rows: Sequence[Row], metric: str) -> str:
    found = _mean(rows, metric)
    return f"{found[0]:.0%}" if found else ""
