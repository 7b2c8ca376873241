"""Two questions: attention or pretraining, and who falls for a shortcut?"""

import numpy as np

from medattn.figures import charts
from medattn.study.analyse.statistics import (
    contrast_table,
    contrasts_by,
    gate_of,
    mean_interval,
    sentence,
)
from medattn.study.report import page
from medattn.study.report.sections import panels_by_regime, random_ones


def is_pretraining(rows):
    """Whether the rows hold several starts, so that the question can be asked."""
    return len({row["initialisation"] for row in rows}) > 1


def is_shortcut(rows):
    """Whether the rows hold a planted artefact that goes with the label."""
    return any(row["shortcut"] for row in rows)


def pretraining_section(rows):
    """Sets gate against start: the two-way table that the published study lacks.

    Args:
        rows: Results of one study, with several starts.

    Returns:
        A `page.Section`.
    """
    panels = {}
    for gate in charts.GATES:
        mine = [row | {"dataset": charts.GATE_NAMES[gate]} for row in rows]
        mine = [row for row in mine if (gate_of(row) or "deit") == gate]
        panels |= panels_by_regime(mine, "auroc")
    table = contrast_table(rows)
    by_start = contrasts_by(rows, "initialisation")
    text = [
        "Every gate from both starts: the lines within a panel differ in the start "
        "alone, those of one kind in two panels in the gate alone. The trunk was "
        "pretrained on drawn shapes of 16 classes, without a gate; gate and head are "
        "fresh from either start.",
    ]
    sizes = {name: abs(one.mean) for name, one in table.items()}
    start = sizes.pop("pretrained − scratch", None)
    if start is not None and sizes:
        gate = max(sizes.values())
        larger = "start" if start > gate else "gate"
        told = [n for n, one in table.items() if one.verdict in ("better", "worse")]
        text.append(
            f"In these trials the larger mean difference is the {larger}'s: "
            f"{100 * start:.2f} points of the start against at most {100 * gate:.2f} "
            "of a gate. "
            + (
                f"Told apart from chance: {', '.join(told)}."
                if told
                else "None of them can be told from chance with these seeds."
            )
        )
    lines = []
    for name in ("SE − none", "CBAM − none"):
        for level, (mean, low, high, seeds) in by_start.get(name, {}).items():
            start = "random" if level == "random" else f"pretrained on {level}"
            lines.append((name, start, str(seeds), page.points(mean, low, high)))
    return page.Section(
        "Attention or pretraining?",
        text,
        figures=[
            (
                "Test AUROC against training data: hollow from random weights, filled "
                "from pretrained ones.",
                charts.regime_figure(
                    panels, label="test AUROC", hollow=random_ones(rows), share=True
                ),
            )
        ],
        tables=[
            _two_way(rows),
            page.Table(("contrast", "start", "seeds", "points [95%]"), lines),
        ],
        level=3,
    )


def _two_way(rows):
    """Lists mean AUROCs: gate and start in the lines, amounts of data beside."""
    regimes = sorted({row["regime"] for row in rows})
    lines = []
    for gate in charts.GATES:
        for start in dict.fromkeys(row["initialisation"] for row in rows):
            mine = [
                row
                for row in rows
                if (gate_of(row) or "deit") == gate and row["initialisation"] == start
            ]
            if not mine:
                continue
            cells = []
            for regime in regimes:
                values = [r["auroc"] for r in mine if r["regime"] == regime]
                cells.append(_share(*mean_interval(values)) if values else "")
            seeds = len({row["seed"] for row in mine})
            lines.append((charts.GATE_NAMES[gate], start, str(seeds), *cells))
    heads = ("gate", "start", "seeds", *(f"{100 * r:g}%" for r in regimes))
    return page.Table(heads, lines)


def shortcut_section(rows):
    """Shows what a planted artefact does to networks with and without a gate.

    Args:
        rows: Results of one study, some with `shortcut` 0 and some above.

    Returns:
        A `page.Section`.
    """
    with_falls = fallen(rows)
    strength = max(row["shortcut"] for row in rows if row["shortcut"] is not None)
    panels, lines = {}, []
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        for gate in charts.GATES:
            mine = [
                r
                for r in with_falls
                if r["dataset"] == dataset and (gate_of(r) or "deit") == gate
            ]
            plain = [r for r in mine if not r["shortcut"]]
            planted = [r for r in mine if r["shortcut"] == strength]
            if not planted:
                continue
            points = [
                _mean(plain, "auroc"),
                _mean(planted, "auroc"),
                _mean(planted, "auroc_with_shortcut"),
            ]
            panels.setdefault(dataset, {})[gate] = points
            fall = _mean(planted, "fall")
            lines.append(
                (
                    dataset,
                    charts.GATE_NAMES[gate],
                    str(len({row["seed"] for row in planted})),
                    *(_share(*point) if point else "" for point in points),
                    page.points(*fall) if fall else "",
                    _percent(plain, SHARE),
                    _percent(planted, SHARE),
                    _percent(planted, f"{ANALYZER}:random_shortcut_share"),
                )
            )
    text = [
        "An artefact of the camera lies in the training images; with the shortcut it "
        f"goes with the label, correlation {strength:g}. The test images are the same, "
        "once with an artefact that means nothing, once with one that goes along as in "
        "training. The fall is what the shortcut cost where it means nothing.",
        *_answers(rows, with_falls, strength),
    ]
    heads = ("data set", "gate", "seeds", "no shortcut", "means nothing", "still holds")
    heads += ("fall, points [95%]", "map on artefact, without", "with", "of noise")
    return page.Section(
        "Who falls for a shortcut?",
        text,
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


ANALYZER = "lrp.epsilon"
SHARE = f"{ANALYZER}:shortcut_share"


def fallen(rows):
    """Adds to each row with a shortcut how far its AUROC fell below its twin's.

    The twin is the trial of the same network, data set, regime, start and seed, trained
    on images in which the artefact means nothing.
    """
    same = ("model", "dataset", "regime", "initialisation", "seed")
    twins = {
        tuple(row[key] for key in same): row["auroc"]
        for row in rows
        if row["shortcut"] == 0
    }
    made = []
    for row in rows:
        twin = twins.get(tuple(row[key] for key in same))
        known = row["shortcut"] and twin is not None and row.get("auroc") is not None
        made.append(row | {"fall": twin - row["auroc"] if known else None})
    return made


def _answers(rows, with_falls, strength):
    """Says what the seeds bear: does a gate fall less, and does its map show it?"""
    planted = [row for row in with_falls if row["shortcut"] == strength]
    found = []
    for question, metric in (
        ("Fall (plus: the gate falls less)", "fall"),
        ("Relevance on the artefact (plus: less of it)", SHARE),
    ):
        for name, one in contrast_table(planted, metric, better="low").items():
            found.append(f"{question}, {sentence(name, one)}")
    known = [row for row in rows if row.get(SHARE) is not None]
    without = [r[SHARE] for r in known if not r["shortcut"]]
    with_it = [r[SHARE] for r in known if r["shortcut"]]
    if without and with_it:
        noise = _mean(planted, f"{ANALYZER}:random_shortcut_share")
        found.append(
            f"Do the maps show it? Of the relevance on evidence or artefact, "
            f"{np.mean(with_it):.0%} lie on the artefact in networks trained with the "
            f"shortcut, {np.mean(without):.0%} in those without"
            + (f"; of noise it would be {noise[0]:.0%}." if noise else ".")
        )
    return found


def _mean(rows, metric):
    """Means over the networks of each seed, then over the seeds, with its interval."""
    seeds = {}
    for row in rows:
        if row.get(metric) is not None:
            seeds.setdefault(row["seed"], []).append(row[metric])
    if not seeds:
        return None
    return mean_interval([np.mean(values) for values in seeds.values()])


def _share(mean, low, high):
    """Writes an AUROC with its interval, `.981 [.975, .987]`, or alone."""

    def short(value):
        return f"{value:.3f}".replace("0.", ".", 1)

    if not np.isfinite(low):
        return short(mean)
    return f"{short(mean)} [{short(low)}, {short(min(high, 1.0))}]"


def _percent(rows, metric):
    found = _mean(rows, metric)
    return f"{found[0]:.0%}" if found else ""
