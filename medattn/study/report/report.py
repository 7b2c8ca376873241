"""The report: the published figure beside ours, and what the seeds show."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from medattn.figures import charts
from medattn.study.analyse.calibration_table import bins_path, count_bins, read_bins
from medattn.study.analyse.results import SHIPPED, Row, read_reference, read_results
from medattn.study.files import read_json, read_json_lines, write_atomic
from medattn.study.plan.trial import SHAPES
from medattn.study.report import page
from medattn.study.report.maps import map_sections
from medattn.study.report.questions import (
    is_pretraining,
    is_shortcut,
    pretraining_section,
    shortcut_section,
)
from medattn.study.report.sections import (
    Panels,
    calibration_sections,
    contrast_sections,
    from_scratch,
    panels_by_regime,
    score_table,
)

Costs: TypeAlias = Sequence[tuple[str, int, int, float]]

# Accuracy of always predicting the commoner class on the study's test sets: its own
# test logs hold the counts (279 of 550 positive; 127 of 6965; 861 of 1072).
MAJORITY = {"aptos2019": 279 / 550, "isic2020": 6838 / 6965, "mimic_cxr": 861 / 1072}
TITLES = {
    "aptos2019": "APTOS2019, eyes",
    "isic2020": "ISIC2020, skin",
    "mimic_cxr": "MIMIC-CXR, chest",
}


def write_report(
    output: str | Path,
    source: str | Path = SHIPPED,
    *,
    complexity: Costs | None = None,
    trial: str | None = None,
) -> tuple[Path, Path]:
    """Writes the report of a study, or of one of its trials.

    Args:
        output: The page, `.html`; Markdown of the same name with `.md` goes beside it.
        source: Results: a CSV, a folder of them, or the folder of a study.
        complexity: Rows `(network, parameters, in gates, mult-adds in millions)` for
            the table of costs; left out unless given.
        trial: Name of a trial's folder in `source`: writes its own page instead.

    Returns:
        The paths written.

    Raises:
        ValueError: If the name does not end in `.html`, or there are no results.
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
        title = "Attention in medical image classifiers: what the numbers show"
    beside = output.with_suffix(".md")
    write_atomic(output, page.html_page(title, sections))
    write_atomic(beside, page.markdown_page(title, sections))
    return output, beside


def study_sections(
    rows: Sequence[Row],
    *,
    complexity: Costs | None = None,
    folder: str | Path | None = None,
) -> list[page.Section]:
    """Makes the sections of the report.

    Args:
        rows: Results, of one study or several.
        complexity: As in `write_report`.
        folder: Where predictions may be, for the calibration curves.

    Returns:
        A list of `page.Section`s.
    """
    sections = [*published_sections()]
    studies = dict.fromkeys(row.get("study", "study") for row in rows)
    for study in studies:
        of_study = [row for row in rows if row.get("study", "study") == study]
        codes = dict.fromkeys(row.get("code") for row in of_study)
        for code in codes:  # results of two versions of the code are two studies
            part = [row for row in of_study if row.get("code") == code]
            name = study if len(codes) == 1 else f"{study}, code {code}"
            sections += own_sections(name, part, folder)
    if not rows:
        sections.append(
            page.Section(
                "Ours",
                ["No results yet: `medattn study run` makes them."],
            )
        )
    if complexity:
        sections.append(complexity_section(complexity))
    return sections


def complexity_section(rows: Costs) -> page.Section:
    """Lists what networks cost, with the published counts beside ours.

    Args:
        rows: `(network, parameters, in gates, mult-adds in millions)`.

    Returns:
        A `page.Section`.
    """
    published = {
        row["model"]: f"{row['trainable_parameters']:,.0f}"
        for row in read_reference("published_parameters")
    }
    lines = [
        (
            name,
            f"{total:,}",
            published.get(name, ""),
            f"{gates:,}",
            f"{gates / total:.1%}",
            f"{work:,.1f}",
        )
        for name, total, gates, work in rows
    ]
    text = [
        "Parameters and multiply-adds of one image, the micro networks at 64 x 64, the "
        "study's at 224 x 224. Of deit_tiny the published count leaves out the class "
        "token and the positions, 38,016."
    ]
    heads = ("network", "parameters", "as published", "in gates", "fraction")
    table = page.Table((*heads, "million mult-adds"), lines)
    return page.Section("What attention costs", text, tables=[table])


def published_sections() -> list[page.Section]:
    """Draws the published results again, with what their figure leaves out."""
    published = read_reference("published_results")
    panels: Panels = {}
    majority: dict[str, float] = {}
    for row in published:
        title = TITLES[row["dataset"]]
        majority[title] = MAJORITY[row["dataset"]]
        series = panels.setdefault(title, {}).setdefault(row["model"], [])
        series.append((row["regime"], row["test_accuracy"], None, None))
    hollow = sorted({r["model"] for r in published if r["initialisation"] == "random"})
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
                "two things at once, the gate and the start: which of them causes the "
                "difference, this figure cannot tell.",
            ],
            figures=[("Test accuracy against training data, as published.", figure)],
        )
    ]


def own_sections(
    study: str, rows: Sequence[Row], folder: str | Path | None
) -> list[page.Section]:
    """Makes the sections of one study of ours.

    Args:
        study: Its name.
        rows: Its results, of one version of the code.
        folder: Where its predictions, or the shipped table of calibration, may be.

    Returns:
        A list of `page.Section`s; those after the first belong to it.
    """
    done = [r for r in rows if r["state"] == "done" and r["dataset"] != SHAPES]
    failed = [r for r in rows if r["state"] == "failed"]
    if not done:
        return [page.Section(f"Ours: {study}", ["No trial has finished."])]
    first = page.Section(
        f"Ours: {study}", _counted(done, failed), tables=[score_table(done)]
    )
    if is_shortcut(done):  # one amount of data: nothing to draw against it
        return [first, shortcut_section(done), *contrast_sections(done)]
    figure = charts.regime_figure(
        panels_by_regime(done, "auroc"),
        label="test AUROC",
        hollow=from_scratch(done),
        share=True,
    )
    first.figures.append(("Test AUROC against training data.", figure))
    sections = [first]
    if is_pretraining(done):
        first.figures.clear()
        sections.append(pretraining_section(done))
    sections += contrast_sections(done)
    sections += map_sections(done)
    source = Path(folder) if folder is not None else SHIPPED
    bins = count_bins(done, source) or read_bins(bins_path(source, study))
    return [*sections, *calibration_sections(bins)]


def _counted(done: Sequence[Row], failed: Sequence[Row]) -> list[str]:
    """Writes how many trials and seeds there are, and which trials failed."""
    seeds = sorted({row["seed"] for row in done})
    keys = ("dataset", "model", "regime", "initialisation", "shortcut")
    cells: dict[tuple, set[int]] = {}
    for row in done:
        cells.setdefault(tuple(row[key] for key in keys), set()).add(row["seed"])
    counts = [len(of_cell) for of_cell in cells.values()]
    fewest, most = min(counts), max(counts)
    each = f"{most}" if fewest == most else f"{fewest} to {most}"
    text = [
        f"{len(done)} trials of {len(cells)} cells, {each} seed{'s' * (most > 1)} each "
        f"(of seeds {', '.join(map(str, seeds))}), drawn images. A point is the mean "
        "over the seeds, a bar its 95% interval; a single seed has the DeLong interval "
        "of its test set, which does not include the spread over seeds."
    ]
    if failed:
        reasons = "; ".join(f"{r['id']}: {r['reason']}" for r in failed[:5])
        text.append(f"{len(failed)} trials failed and are in no mean: {reasons}.")
    return text


def trial_sections(folder: Path, name: str) -> list[page.Section]:
    """Makes the page of one trial.

    Args:
        folder: The study's.
        name: Of the trial's folder in it.

    Returns:
        A list of `page.Section`s.

    Raises:
        ValueError: If there is no such trial.
    """
    trial_folder = folder / name
    config = read_json(trial_folder / "config.json")
    if config is None:
        known = sorted(p.parent.name for p in folder.glob("*/config.json"))
        raise ValueError(
            f"There is no trial {name!r} in {str(folder)!r}. Expected one of "
            f"{known[:8]}{' ...' if len(known) > 8 else ''}. Received: trial={name!r}"
        )
    outcome = (
        read_json(trial_folder / "failed.json")
        or read_json(trial_folder / "done.json")
        or {}
    )
    history = read_json_lines(trial_folder / "history.jsonl")
    scores = [
        (key, f"{outcome['validation'].get(key, float('nan')):.4f}", f"{value:.4f}")
        for key, value in outcome.get("test", {}).items()
    ]
    facts = [(key, str(value)) for key, value in config.items()]
    environment = read_json(trial_folder / "environment.json") or {}
    facts += [(key, str(value)) for key, value in environment.items()]
    state = outcome.get("state", "not finished")
    text = [f"State: {state}."]
    if outcome.get("reason"):
        text.append(outcome["reason"])
    return [
        page.Section(
            name,
            text,
            figures=[("The training.", charts.training_figure(history))]
            * bool(history),
            tables=[page.Table(("score", "validation", "test"), scores)] * bool(scores),
        ),
        page.Section("How it was made", [], tables=[page.Table(("what", ""), facts)]),
    ]
