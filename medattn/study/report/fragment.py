"""The report as a part of another page, such as an app's."""

from medattn.study.analyse.results import SHIPPED, read_reference, read_results
from medattn.study.report.page import html_body
from medattn.study.report.report import study_sections


def report_fragment(source=SHIPPED):
    """Writes the study's report to stand within another page.

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
    seeds = {}
    for row in rows:
        held = seeds.setdefault(row["study"], set())
        if row["state"] == "done" and row["dataset"] != "shapes":
            held.add(row["seed"])
    sections = study_sections(rows, complexity=known_costs(), folder=source)
    return html_body(sections), {name: sorted(held) for name, held in seeds.items()}


def known_costs():
    """Reads what each network costs, counted once with `medattn.models.complexity`.

    Building all fourteen to count again takes a minute and a gigabyte.

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
