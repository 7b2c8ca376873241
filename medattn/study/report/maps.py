"""The section on maps: do they lie on the evidence, and is attention clearer?"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from medattn.figures import charts
from medattn.study.analyse.contrasts import CONTRASTS, contrast_table, gate_of
from medattn.study.analyse.results import Row
from medattn.study.analyse.statistics import Comparison, mean_interval, minimum_seeds
from medattn.study.report import page

# The measures that are drawn and tested, which end of each is better, and its meaning.
MEASURES: dict[str, tuple[Literal["high", "low"], str]] = {
    "relevance_mass": ("high", "fraction of the relevance inside the evidence"),
    "relevance_rank": ("high", "of the K strongest pixels, the fraction inside"),
    "pointing_game": ("high", "how often the strongest pixel is inside"),
    "deletion": ("low", "probability left as the strongest pixels are blurred away"),
    "randomised_spearman": (
        "low",
        "similarity to the map of the same network with random weights",
    ),
    "shortcut_share": (
        "low",
        "of the relevance on either, the fraction on the artefact",
    ),
}
BASELINES = {"random": "map of noise", "edges": "edge detector"}


def map_sections(rows: Sequence[Row]) -> list[page.Section]:
    """Makes the section of the maps, one figure and two tables an analyzer.

    Args:
        rows: Results of one study.

    Returns:
        A list of `page.Section`s; empty if no map was scored.
    """
    columns = {key for row in rows for key in row if ":" in key}
    sections = []
    for analyzer in sorted({key.split(":")[0] for key in columns}):
        known = {key.split(":")[1] for key in columns if key.startswith(f"{analyzer}:")}
        measures = [name for name in MEASURES if name in known]
        if measures:
            sections.append(_analyzer_section(rows, analyzer, measures, known))
    return sections


def gate_points(
    rows: Sequence[Row], metric: str
) -> dict[str, dict[str, list[tuple[float, float, float, float]]]]:
    """Averages a metric within each seed over the networks of a gate.

    Args:
        rows: Results of one study.
        metric: A column.

    Returns:
        `{data set: {gate: [(regime, mean, low, high)]}}`.
    """
    panels: dict[str, dict[str, dict[float, dict[int, list[float]]]]] = {}
    for row in rows:
        if row.get(metric) is not None:
            cell = panels.setdefault(row["dataset"], {}).setdefault(_gate(row), {})
            seeds = cell.setdefault(row["regime"], {})
            seeds.setdefault(row["seed"], []).append(row[metric])
    return {
        dataset: {
            gate: [
                (regime, *mean_interval([float(np.mean(v)) for v in seeds.values()]))
                for regime, seeds in sorted(gates[gate].items())
            ]
            for gate in charts.GATES
            if gate in gates
        }
        for dataset, gates in panels.items()
    }


def _gate(row: Row) -> str:
    return gate_of(row) or "deit"


def _analyzer_section(
    rows: Sequence[Row], analyzer: str, measures: Sequence[str], known: set[str]
) -> page.Section:
    panels = {
        _words(name): gate_points(rows, f"{analyzer}:{name}") for name in measures
    }
    levels = {_words(name): _levels(rows, analyzer, name) for name in measures}
    comparisons = _comparisons(rows, analyzer, measures)
    heads = (
        "measure", "contrast", "seeds", "points [95%]", "p (Holm)",
        "worse / same / better", "verdict",
    )  # fmt: skip
    figure = (
        "Map quality against training data, networks of one gate together.",
        charts.measure_figure(panels, levels=levels),
    )
    lines = [_line(measure, name, one) for measure, name, one in comparisons]
    return page.Section(
        f"Where the maps point: {analyzer}",
        [
            *_introduction(analyzer, measures),
            *_answer(comparisons, len({row["seed"] for row in rows})),
        ],
        figures=[figure],
        tables=[page.Table(heads, lines)] * bool(lines)
        + [_all_measures(rows, analyzer, known)],
        level=3,
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _introduction(analyzer: str, measures: Sequence[str]) -> list[str]:
    """Explains what was measured."""
    meanings = "; ".join(f"{_words(n)}: {MEASURES[n][1]}" for n in measures) + "."
    low = [_words(n) for n in measures if MEASURES[n][0] == "low"]
    if low:
        meanings += f" Lower is better of {' and '.join(low)}."
    return [
        f"Maps of {analyzer} for the logit of the positive class, on the first hundred "
        "positives of the test set. The drawing says which pixels are evidence. Two "
        "baselines that use no network stand beside the networks: noise, and an edge "
        "detector. A bar is the 95% interval over the seeds.",
        meanings,
    ]


def _answer(
    comparisons: Sequence[tuple[str, str, Comparison]], seeds: int
) -> list[str]:
    """Writes for which measures the seeds show a difference."""
    if not comparisons:
        return []
    shown: dict[str, list[str]] = {}
    for measure, contrast, one in comparisons:
        if one.verdict != "cannot tell":
            shown.setdefault(one.verdict, []).append(f"{_words(measure)} ({contrast})")
    if shown:
        text = "What the seeds show: " + "; ".join(
            f"{verdict}: {', '.join(names)}" for verdict, names in shown.items()
        )
        if sum(map(len, shown.values())) < len(comparisons):
            text += "; for the others they cannot tell."
    else:
        text = f"For none of the {len(comparisons)} differences can {seeds} seeds tell."
    answer = [
        "Is attention easier to read? Each measure is tested on its own, with Holm's "
        f"correction over its planned contrasts; plus is better. {text}"
    ]
    if seeds < minimum_seeds(len(CONTRASTS)):
        answer.append(
            f"With {seeds} seeds no difference can pass the test, however large; "
            "the intervals describe what was measured."
        )
    return answer


def _levels(
    rows: Sequence[Row], analyzer: str, measure: str
) -> dict[str, dict[str, float]]:
    """Averages what noise and edges score, by data set."""
    found: dict[str, dict[str, float]] = {}
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        for prefix, name in BASELINES.items():
            key = f"{analyzer}:{prefix}_{measure}"
            values = [
                row[key]
                for row in rows
                if row["dataset"] == dataset and row.get(key) is not None
            ]
            if values:
                found.setdefault(dataset, {})[name] = float(np.mean(values))
    return found


def _comparisons(
    rows: Sequence[Row], analyzer: str, measures: Sequence[str]
) -> list[tuple[str, str, Comparison]]:
    """Lists measure, contrast and comparison of all planned contrasts."""
    return [
        (name, contrast, one)
        for name in measures
        for contrast, one in contrast_table(
            rows, f"{analyzer}:{name}", better=MEASURES[name][0]
        ).items()
    ]


def _line(measure: str, contrast: str, one: Comparison) -> tuple[str, ...]:
    return (
        _words(measure),
        contrast,
        str(one.seeds),
        page.points(one.mean, one.low, one.high),
        f"{one.p_holm:.3f}",
        f"{one.worse:.2f} / {one.same:.2f} / {one.better:.2f}",
        one.verdict,
    )


def _all_measures(rows: Sequence[Row], analyzer: str, known: set[str]) -> page.Table:
    """Lists the means of every measure by gate, with the two baselines."""
    names = sorted(n for n in known if not n.startswith(("random_", "edges_")))
    gates = [g for g in charts.GATES if any(_gate(row) == g for row in rows)]
    regime = max(row["regime"] for row in rows)
    lines = []
    for name in names:
        cells = [
            [
                row.get(f"{analyzer}:{name}")
                for row in rows
                if _gate(row) == gate and row["regime"] == regime
            ]
            for gate in gates
        ]
        cells += [
            [row.get(f"{analyzer}:{prefix}_{name}") for row in rows]
            for prefix in BASELINES
        ]
        means = [[v for v in cell if v is not None] for cell in cells]
        lines.append((_words(name), *(f"{np.mean(m):.3f}" if m else "" for m in means)))
    heads = ("measure", *(charts.GATE_NAMES[g] for g in gates), *BASELINES.values())
    folded = f"all measures, trained on {100 * regime:g}% of the data"
    return page.Table(heads, lines, folded=folded)
