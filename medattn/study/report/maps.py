"""The section on maps: do they lie on the evidence, and is attention clearer?"""

import numpy as np

from medattn.figures import charts
from medattn.study.analyse.statistics import (
    contrast_table,
    gate_of,
    least_seeds,
    mean_interval,
)
from medattn.study.report import page

# The measures that are drawn and tested, and which end of each is better; what each
# says, for those who read on.
MEASURES = {
    "relevance_mass": ("high", "share of the relevance inside the evidence"),
    "relevance_rank": ("high", "of the K strongest pixels, the share inside"),
    "pointing_game": ("high", "how often the strongest pixel is inside"),
    "deletion": ("low", "probability left as the strongest pixels are blurred away"),
    "randomised_spearman": (
        "low",
        "likeness to the map of the same network with random weights",
    ),
    "shortcut_share": ("low", "of what lies on either, the share on the artefact"),
}
BASELINES = {"random": "map of noise", "edges": "edge detector"}


def map_sections(rows):
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


def gate_points(rows, metric):
    """Averages a metric within each seed over the networks of a gate.

    Returns:
        `{data set: {gate: [(regime, mean, low, high)]}}`.
    """
    panels = {}
    for row in rows:
        if row.get(metric) is not None:
            cell = panels.setdefault(row["dataset"], {}).setdefault(_gate(row), {})
            seeds = cell.setdefault(row["regime"], {})
            seeds.setdefault(row["seed"], []).append(row[metric])
    return {
        dataset: {
            gate: [
                (regime, *mean_interval([np.mean(v) for v in seeds.values()]))
                for regime, seeds in sorted(gates[gate].items())
            ]
            for gate in charts.GATES
            if gate in gates
        }
        for dataset, gates in panels.items()
    }


def _gate(row):
    return gate_of(row) or "deit"


def _analyzer_section(rows, analyzer, measures, known):
    grid = {
        name.replace("_", " "): gate_points(rows, f"{analyzer}:{name}")
        for name in measures
    }
    levels = {
        name.replace("_", " "): _levels(rows, analyzer, name) for name in measures
    }
    images = "the first hundred positives of the test set"
    text = [
        f"Maps of {analyzer} for the logit of the positive class, on {images}. The "
        "drawing says which pixels are evidence. Beside the networks stand two that "
        "know nothing of any network: noise, and an edge detector. A bar is the 95% "
        "interval over the seeds.",
        "; ".join(f"{n.replace('_', ' ')}: {MEASURES[n][1]}" for n in measures) + ".",
    ]
    low = [n.replace("_", " ") for n in measures if MEASURES[n][0] == "low"]
    if low:
        text[-1] += f" Lower is better of {' and '.join(low)}."
    facts, sure = _contrasts(rows, analyzer, measures)
    seeds = len({row["seed"] for row in rows})
    if facts:
        text.append(
            "Is attention easier to read? Each measure is asked for itself, with "
            "Holm's correction over its planned contrasts; plus is better. "
            + (
                "What can be told: "
                + "; ".join(f"{v}: {', '.join(found)}" for v, found in sure.items())
                + "; of the others it cannot be told."
                * (sum(map(len, sure.values())) < len(facts))
                if sure
                else f"Of none of the {len(facts)} differences can it be told, with "
                f"{seeds} seeds."
            )
        )
        if seeds < least_seeds(4):
            text.append(
                f"With {seeds} seeds no difference can pass the test, however large; "
                "the intervals say what was seen."
            )
    heads = ("measure", "contrast", "seeds", "points [95%]", "p (Holm)")
    heads += ("worse / same / better", "verdict")
    return page.Section(
        f"Where the maps point: {analyzer}",
        text,
        figures=[
            (
                "Map quality against training data, networks of one gate together.",
                charts.measure_figure(grid, levels=levels),
            )
        ]
        if grid
        else [],
        tables=[page.Table(heads, facts)] * bool(facts)
        + [_all_measures(rows, analyzer, known)],
        level=3,
    )


def _levels(rows, analyzer, measure):
    """What noise and edges score, by data set."""
    found = {}
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


def _contrasts(rows, analyzer, measures):
    """Makes the lines of the table, and by verdict what can be told."""
    lines, sure = [], {}
    for name in measures:
        table = contrast_table(rows, f"{analyzer}:{name}", better=MEASURES[name][0])
        for contrast, one in table.items():
            lines.append(
                (
                    name.replace("_", " "),
                    contrast,
                    str(one.seeds),
                    page.points(one.mean, one.low, one.high),
                    f"{one.p_holm:.3f}",
                    f"{one.worse:.2f} / {one.same:.2f} / {one.better:.2f}",
                    one.verdict,
                )
            )
            if one.verdict != "cannot tell":
                said = f"{name.replace('_', ' ')} ({contrast})"
                sure.setdefault(one.verdict, []).append(said)
    return lines, sure


def _all_measures(rows, analyzer, known):
    """Lists the means of every measure by gate, with the two baselines."""
    own = sorted(n for n in known if not n.startswith(("random_", "edges_")))
    gates = [g for g in charts.GATES if any(_gate(row) == g for row in rows)]
    regime = max(row["regime"] for row in rows)
    lines = []
    for name in own:
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
        lines.append(
            (name.replace("_", " "), *(f"{np.mean(m):.3f}" if m else "" for m in means))
        )
    heads = ("measure", *(charts.GATE_NAMES[g] for g in gates), *BASELINES.values())
    folded = f"all measures, trained on {100 * regime:g}% of the data"
    return page.Table(heads, lines, folded=folded)
