"""The section of the pre-registered contrasts: what was asked, and the answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from medattn.figures import charts
from medattn.study.analyse.mixed import mixed_opinion, opinion_sentence
from medattn.study.analyse.planned import (
    missing_networks,
    planned_cells,
    planned_table,
    planned_values,
)
from medattn.study.analyse.results import Row
from medattn.study.analyse.statistics import Comparison, mean_interval
from medattn.study.files import read_json
from medattn.study.plan.preregistration import (
    PlannedContrast,
    Preregistration,
    list_preregistrations,
    percent,
    read_preregistration,
)
from medattn.study.plan.presets import PRESETS
from medattn.study.report import page

EXPLORATORY = (
    "Exploratory: this goes beyond the pre-registered contrasts, and its verdicts only "
    "suggest questions."
)
METRICS = {"auroc": "AUROC", "lrp.epsilon:relevance_mass": "relevance in the evidence"}


def registration_of(
    study: str, folder: str | Path | None = None
) -> Preregistration | None:
    """Finds what a study registered.

    Args:
        study: Its name: a preset with a pre-registration, or that of a shipped one.
        folder: Where its results are from; the `study.json` of a study's folder is
            asked first.

    Returns:
        A `Preregistration`, or None.
    """
    path = None if folder is None else Path(folder) / "study.json"
    saved = read_json(path) if path is not None and path.is_file() else None
    source = (saved or {}).get("preregistration")
    if source is None and study in PRESETS:
        source = PRESETS[study].preregistration
    if source is None and study in list_preregistrations():
        source = study
    known = source in list_preregistrations() or Path(source or "").is_file()
    return read_preregistration(source) if source and known else None


def planned_section(
    rows: Sequence[Row], preregistration: Preregistration
) -> page.Section:
    """Makes the section of the registered contrasts: every one, answered or not.

    Args:
        rows: Results of one study and one version of the code.
        preregistration: What was registered.

    Returns:
        A `page.Section`.
    """
    try:
        table = planned_table(rows, preregistration)
    except ValueError as error:
        return page.Section("Pre-registered contrasts", [str(error)], level=3)
    text = [
        f"{len(table)} contrasts were registered before the first trial "
        f"(docs/preregistration.md, study {preregistration.name}), and each is here, "
        "with Holm's correction over those of its hypothesis and metric. A seed is one "
        "observation: differences are taken within it and averaged over the cells.",
    ]
    figures = []
    for hypothesis in preregistration.hypotheses:
        planned = [
            one for one in preregistration.contrasts if one.hypothesis == hypothesis.id
        ]
        text.append(f"{hypothesis.id}. {hypothesis.question} {_answer(planned, table)}")
    text += _second_opinions(rows, preregistration.contrasts, table)
    text += _interim(rows, preregistration.contrasts, table)
    for metric in dict.fromkeys(c.metric for c in preregistration.contrasts):
        drawn = [
            one
            for one in preregistration.contrasts
            if one.metric == metric and one.kind == "difference"
        ]
        lines = [line for one in drawn for line in _forest_lines(rows, one, table)]
        if lines:
            name = METRICS.get(metric, metric)
            rope = max(one.rope for one in drawn)
            figures.append(
                (
                    f"Registered contrasts of {name}; by amount of data they describe.",
                    charts.forest_figure(
                        lines, label=f"difference of {name}", rope=rope
                    ),
                )
            )
    tables = [_table(preregistration.contrasts, table)]
    return page.Section(
        "Pre-registered contrasts", text, figures=figures, tables=tables, level=3
    )


def _answer(
    planned: Sequence[PlannedContrast], table: Mapping[str, Comparison | None]
) -> str:
    """Writes the verdicts of a hypothesis, equal ones together."""
    found: dict[str, list[str]] = {}
    for contrast in planned:
        one = table[contrast.key]
        verdict = "no result yet" if one is None else str(one.verdict)
        if one is not None and one.seeds < len(contrast.seeds):
            verdict += " (interim)"
        if one is not None:
            number = _number(contrast, one)
            found.setdefault(verdict, []).append(f"{contrast.name} {number}")
        else:
            found.setdefault(verdict, []).append(contrast.name)
    return "; ".join(f"{v}: {', '.join(names)}" for v, names in found.items()) + "."


def _number(contrast: PlannedContrast, one: Comparison) -> str:
    """Writes a mean with its interval: in points, or as a correlation."""
    unit = 1 if contrast.kind == "correlation" else 100
    if one.seeds < 2:
        return f"{unit * one.mean:+.2f}".replace("-", "−")
    return page.points(one.mean, one.low, one.high, unit)


def _second_opinions(
    rows: Sequence[Row],
    planned: Sequence[PlannedContrast],
    table: Mapping[str, Comparison | None],
) -> list[str]:
    """Writes what a mixed model says, where it disagrees."""
    text = []
    for contrast in planned:
        one = table[contrast.key]
        if one is not None:
            opinion = mixed_opinion(planned_cells(rows, contrast))
            unit = 1 if contrast.kind == "correlation" else 100
            text.append(opinion_sentence(contrast.key, one, opinion, unit))
    return [sentence for sentence in text if sentence]


def _interim(
    rows: Sequence[Row],
    planned: Sequence[PlannedContrast],
    table: Mapping[str, Comparison | None],
) -> list[str]:
    """Writes which contrasts are interim, and which seeds lack what."""
    text = []
    open_ = [c for c in planned if _seeds(table[c.key]) < len(c.seeds)]
    if open_:
        text.append(
            f"Interim: {len(open_)} of the {len(planned)} contrasts do not have all "
            "their registered seeds yet."
        )
    lacking: dict[tuple, set[int]] = {}
    for contrast in planned:
        for seed, networks in missing_networks(rows, contrast).items():
            for network in networks:
                lacking.setdefault(network, set()).add(seed)
    if lacking:
        named = [
            f"{model} on {dataset} at {percent(regime)}, "
            f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, sorted(seeds)))}"
            for (model, dataset, regime), seeds in list(lacking.items())[:12]
        ]
        more = len(lacking) - len(named)
        text.append(
            "A seed that lacks a cell of a contrast is left out of it. Lacking: "
            + "; ".join(named)
            + (f"; and {more} more." if more else ".")
        )
    return text


def _seeds(one: Comparison | None) -> int:
    return 0 if one is None else one.seeds


def _forest_lines(
    rows: Sequence[Row],
    contrast: PlannedContrast,
    table: Mapping[str, Comparison | None],
) -> list[tuple[str, float, float, float, str]]:
    """Lists a contrast, followed by what it is at every amount of data, if several."""
    one = table[contrast.key]
    if one is None or one.seeds < 2:
        return []
    lines: list[tuple[str, float, float, float, str]] = []
    lines.append((contrast.key, one.mean, one.low, one.high, one.verdict))
    for regime in contrast.regimes if len(contrast.regimes) > 1 else ():
        values = planned_values(rows, replace(contrast, regimes=(regime,))).values()
        if len(values) > 1:
            mean, low, high = mean_interval(list(values))
            lines.append((f"at {percent(regime)}", mean, low, high, ""))
    return lines


def _table(
    planned: Sequence[PlannedContrast], table: Mapping[str, Comparison | None]
) -> page.Table:
    heads = (
        "contrast", "metric", "seeds", "mean [95%]", "p", "p (Holm)",
        "worse / same / better", "smallest detectable", "expected", "verdict",
    )  # fmt: skip
    lines = []
    for contrast in planned:
        one = table[contrast.key]
        metric = METRICS.get(contrast.metric, contrast.metric)
        seeds = f"{_seeds(one)} of {len(contrast.seeds)}"
        if one is None:
            lines.append(
                (contrast.key, metric, seeds, *[""] * 5, contrast.expectation, "")
            )
            continue
        unit = 1 if contrast.kind == "correlation" else 100
        interim = ", interim" * (one.seeds < len(contrast.seeds))
        lines.append(
            (
                contrast.key,
                metric,
                seeds,
                _number(contrast, one),
                f"{one.p:.4f}",
                f"{one.p_holm:.4f}",
                f"{one.worse:.2f} / {one.same:.2f} / {one.better:.2f}",
                "none" if np.isinf(one.detectable) else f"{unit * one.detectable:.2f}",
                contrast.expectation,
                one.verdict + interim,
            )
        )
    return page.Table(heads, lines)
