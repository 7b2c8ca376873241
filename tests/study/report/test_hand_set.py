"""The section on networks set by hand says what its table says."""

import numpy as np
import pytest

from medattn.study.analyse.hand_set.networks import HAND_SET
from medattn.study.analyse.hand_set.table import PATHS, SHOWN, read_hand_set
from medattn.study.report.hand_set import (
    conclusion,
    context_sentence,
    hand_set_sections,
)
from medattn.study.report.report import study_sections


def rows_of(masses):
    """Rows of every network, from each map to its mass in use; half in evidence."""
    return [
        {
            "network": name,
            "map": title,
            "used_mass": mass,
            "evidence_mass": 0.3 if one.shortcut is None else 0.1,
        }
        for title, mass in masses.items()
        for name, one in HAND_SET.items()
    ]


def test_the_conclusion_counts_the_analyzers_that_stay_on_the_pixels_in_use():
    text = conclusion(rows_of({PATHS: 1.0, "random": 0.1, "a": 0.99, "b": 0.2}))
    assert text.startswith("Of 2 analyzers that explain these networks, 1 put at least")
    assert "The least: b (20% on average), a (99% on average)." in text
    assert "put 30% of it in the evidence" in text and "and 10% where it" in text
    assert "reports what the network does" in text


def test_the_conclusion_blames_the_map_where_no_analyzer_is_faithful():
    text = conclusion(rows_of({PATHS: 1.0, "a": 0.5}))
    assert text.endswith("may be the map's fault.")


def test_the_conclusion_admits_that_faithful_maps_may_misstate_the_evidence():
    rows = rows_of({PATHS: 1.0, "a": 0.99})
    for row in rows:
        row["evidence_mass"] = 0.3 if row["map"] == PATHS else 0.5
    assert conclusion(rows).endswith(
        "even these misstate how much of the evidence is used."
    )


def test_one_network_that_a_map_misses_is_enough_to_count_it_out():
    rows = rows_of({PATHS: 1.0, "a": 0.99, "b": 0.99})
    rows[-1]["used_mass"] = 0.9
    assert "these networks, 1 put" in conclusion(rows)


def test_the_gate_passes_the_bound_only_if_it_does():
    scores = {"gate": 0.9, "bound_nuisance": 0.7975, "best_sum": 0.6}
    assert "passes the bound of every additive score, 0.900" in context_sentence(scores)
    assert "does not pass" in context_sentence(scores | {"gate": 0.7})


@pytest.fixture(scope="module")
def section():
    found, _ = hand_set_sections()
    return found


def test_the_section_quotes_the_shipped_table(section):
    rows = read_hand_set()
    assert section.text[1] == conclusion(rows)
    by_title = {line[0]: line for line in section.tables[1].lines}
    masses = [r["used_mass"] for r in rows if r["map"] == "deconvnet"]
    assert by_title["deconvnet"][1] == f"{np.mean(masses):.0%}"
    assert by_title["deconvnet"][2] == f"{min(masses):.0%}"
    assert len(section.tables[2].lines) == len(rows)


def test_the_figure_has_a_row_for_every_network(section):
    ((_, figure),) = section.figures
    assert len(figure.axes) == len(HAND_SET) * (3 + len(SHOWN))


def test_it_is_a_part_of_the_shipped_report_alone(tmp_path):
    from medattn.study.analyse.results import SHIPPED

    titles = [section.title for section in study_sections([], folder=SHIPPED)]
    assert "Networks set by hand" in titles
    titles = [section.title for section in study_sections([], folder=tmp_path)]
    assert "Networks set by hand" not in titles
