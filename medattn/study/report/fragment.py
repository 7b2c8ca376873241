"""The report as a part of another page, such as an app's."""

from pathlib import Path

from medattn.study.analyse.results import SHIPPED, read_reference, read_results
from medattn.study.plan.trial import SHAPES
from medattn.study.report.page import html_body
from medattn.study.report.report import study_sections


def report_fragment(source: str | Path = SHIPPED) -> tuple[str, dict[str, list[int]]]:
    """Writes the study's report as a part of another page.

    Args:
        source: Results: a CSV, a folder of them, or the folder of a study; where there
            are none, only what was published is drawn.

    Returns:
        `(html, seeds)`: the sections without head, style or outside files, and from
        each study's name to the sorted seeds of its finished trials.
    """
    try:
        rows = read_results(source)
    except ValueError:
        rows = []
    seeds: dict[str, set[int]] = {}
    for row in rows:
        of_study = seeds.setdefault(row["study"], set())
        if row["state"] == "done" and row["dataset"] != SHAPES:
            of_study.add(row["seed"])
    sections = study_sections(rows, complexity=known_costs(), folder=source)
    return html_body(sections), {name: sorted(found) for name, found in seeds.items()}


def known_costs() -> list[tuple[str, int, int, float]]:
    """Reads what each network costs, computed once with `medattn.models.complexity`.

    Building all fourteen to compute it again takes a minute and a gigabyte.

    Returns:
        Rows `(network, parameters, in gates, mult-adds in millions)`.
    """
    return [
        (
            row["model"],
            int(row["parameters"]),
            int(row["in_gates"]),
            row["multiply_adds"] / 1e6,
        )
        for row in read_reference("complexity")
    ]
