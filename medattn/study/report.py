"""The report: the published figure beside ours, and what the seeds can bear."""

import json
from pathlib import Path

from medattn import charts
from medattn.study import page
from medattn.study.files import read_json, write_atomic
from medattn.study.report_sections import (
    calibration_sections,
    contrast_sections,
    map_sections,
    panels_by_regime,
    random_ones,
    score_table,
)
from medattn.study.results import SHIPPED, read_reference, read_results

# Accuracy of always naming the commoner class on the study's test sets: its own test
# logs hold the counts (279 of 550 positive; 127 of 6965; 861 of 1072).
MAJORITY = {"aptos2019": 279 / 550, "isic2020": 6838 / 6965, "mimic_cxr": 861 / 1072}
TITLES = {
    "aptos2019": "APTOS2019, eyes",
    "isic2020": "ISIC2020, skin",
    "mimic_cxr": "MIMIC-CXR, chest",
}


def write_report(output, source=SHIPPED, *, complexity=None, trial=None):
    """Writes the report of a study, or of one of its trials.

    Args:
        output: The page, `.html`; Markdown of the same name with `.md` goes beside it.
        source: Results: a CSV, a folder of them, or the folder of a study.
        complexity: Rows `(network, parameters, in gates, mult-adds)` for the table of
            costs; left out unless given.
        trial: Name of a trial's folder in `source`: writes its own page instead.

    Returns:
        The paths written.
    """
    output = Path(output)
    if output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(
            "The report is a page. Expected a name ending in .html. Received: "
            f"output={str(output)!r}"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    if trial is not None:
        sections = trial_sections(Path(source), trial)
        title = f"Trial {trial}"
    else:
        try:
            rows = read_results(source)
        except ValueError:
            if Path(source) != SHIPPED:
                raise
            rows = []
        sections = study_sections(rows, complexity=complexity, folder=source)
        title = "Attention in medical image classifiers: what the numbers bear"
    beside = output.with_suffix(".md")
    write_atomic(output, page.html_page(title, sections))
    write_atomic(beside, page.markdown_page(title, sections))
    return output, beside


def study_sections(rows, *, complexity=None, folder=None):
    """Makes the sections of the report.

    Args:
        rows: Results, of one study or several.
        complexity: As in `write_report`.
        folder: Where predictions may lie, for the calibration curves.

    Returns:
        A list of `page.Section`s.
    """
    sections = [*published_sections()]
    studies = dict.fromkeys(row.get("study", "study") for row in rows)
    for study in studies:
        mine = [row for row in rows if row.get("study", "study") == study]
        sections += own_sections(study, mine, folder)
    if not rows:
        sections.append(
            page.Section(
                "Ours",
                ["No results yet: `medattn study run` makes them."],
            )
        )
    if complexity:
        sections.append(
            page.Section(
                "What attention costs",
                ["Parameters and multiply-adds of one image."],
                tables=[
                    page.Table(
                        ("network", "parameters", "in gates", "M mult-adds"),
                        [
                            (name, f"{total:,}", f"{gates:,}", f"{work:,.1f}")
                            for name, total, gates, work in complexity
                        ],
                    )
                ],
            )
        )
    return sections


def published_sections():
    """Draws the published results again, with what their figure leaves out."""
    published = read_reference("published_results")
    panels, majority = {}, {}
    for row in published:
        title = TITLES[row["dataset"]]
        majority[title] = MAJORITY[row["dataset"]]
        series = panels.setdefault(title, {}).setdefault(row["model"], [])
        series.append((row["regime"], row["test_accuracy"], None, None))
    hollow = {r["model"] for r in published if r["initialisation"] == "random"}
    figure = charts.regime_figure(
        panels, label="test accuracy", majority=majority, hollow=hollow
    )
    below = sum(
        row["test_accuracy"] < MAJORITY["isic2020"]
        for row in published
        if row["dataset"] == "isic2020"
    )
    skin = sum(row["dataset"] == "isic2020" for row in published)
    return [
        page.Section(
            "As published",
            [
                "Test accuracy of seven networks, one training each (Gonçalves et al., "
                "IEEE Access 2022), drawn again with two things that the figure "
                "leaves out: the accuracy of always naming the commoner class, and "
                "which networks started from random weights (hollow).",
                f"On the skin images {below} of {skin} accuracies lie below that "
                "line. And the networks with hollow markers differ from the others in "
                "two things at once, the gate and the start: what their distance "
                "comes from, this figure cannot tell.",
            ],
            figures=[("Test accuracy against training data, as published.", figure)],
        )
    ]


def own_sections(study, rows, folder):
    """Makes the sections of one study of ours."""
    done = [r for r in rows if r["state"] == "done" and r["dataset"] != "shapes"]
    failed = [r for r in rows if r["state"] == "failed"]
    if not done:
        return [page.Section(f"Ours: {study}", ["No trial has finished."])]
    seeds = sorted({row["seed"] for row in done})
    text = [
        f"{len(done)} trials, {len(seeds)} seed{'s' * (len(seeds) > 1)}, drawn "
        "images. A point is the mean over the seeds, a bar its 95% interval; a single "
        "seed has the DeLong interval of its test set, which knows nothing of other "
        "seeds."
    ]
    if failed:
        reasons = "; ".join(f"{r['id']}: {r['reason']}" for r in failed[:5])
        text.append(f"{len(failed)} trials failed and are in no mean: {reasons}.")
    return [
        page.Section(
            f"Ours: {study}",
            text,
            figures=[
                (
                    "Test AUROC against training data.",
                    charts.regime_figure(
                        panels_by_regime(done, "auroc"),
                        label="test AUROC",
                        hollow=random_ones(done),
                    ),
                )
            ],
            tables=[score_table(done)],
        ),
        *contrast_sections(done),
        *map_sections(done),
        *calibration_sections(done, folder),
    ]


def trial_sections(folder, name):
    """Makes the page of one trial."""
    place = folder / name
    config = read_json(place / "config.json")
    if config is None:
        known = sorted(p.parent.name for p in folder.glob("*/config.json"))
        raise ValueError(
            f"There is no trial {name!r} in {str(folder)!r}. Expected one of "
            f"{known[:8]}{' ...' if len(known) > 8 else ''}. Received: trial={name!r}"
        )
    outcome = read_json(place / "failed.json") or read_json(place / "done.json") or {}
    path = place / "history.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    history = [json.loads(line) for line in lines]
    scores = [
        (key, f"{outcome['validation'].get(key, float('nan')):.4f}", f"{value:.4f}")
        for key, value in outcome.get("test", {}).items()
    ]
    facts = [(key, str(value)) for key, value in config.items()]
    environment = read_json(place / "environment.json") or {}
    facts += [(key, str(value)) for key, value in environment.items()]
    state = outcome.get("state", "not finished")
    said = [f"State: {state}."]
    if outcome.get("reason"):
        said.append(outcome["reason"])
    return [
        page.Section(
            name,
            said,
            figures=[("The training.", charts.training_figure(history))]
            * bool(history),
            tables=[page.Table(("score", "validation", "test"), scores)] * bool(scores),
        ),
        page.Section("How it was made", [], tables=[page.Table(("what", ""), facts)]),
    ]
