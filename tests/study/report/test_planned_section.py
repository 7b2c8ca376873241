"""The section of the registered contrasts: every one, with its verdict, or none yet."""

import itertools
import json
from dataclasses import replace

import numpy as np

from medattn.study.analyse.planned import planned_table
from medattn.study.plan.preregistration import read_preregistration
from medattn.study.report import page
from medattn.study.report.planned import (
    EXPLORATORY,
    planned_section,
    registration_of,
)
from medattn.study.report.power import power_section
from medattn.study.report.report import own_sections

CONTEXT = read_preregistration("micro2-context")
MASS = "lrp.epsilon:relevance_mass"
GATES = ("", "se_", "cbam_")


def rows(seeds, gain=0.2):
    """Rows of the positive control, SE better by `gain` and CBAM by nothing."""
    rng = np.random.default_rng(0)
    every = []
    for seed, regime, gate in itertools.product(
        range(seeds), (0.01, 0.1, 0.5, 1.0), GATES
    ):
        auroc = 0.6 + gain * (gate == "se_") + rng.normal(0, 0.01)
        every.append(
            dict(
                id=f"{gate}{seed}", model=f"{gate}micro_bagnet", regime=regime,
                dataset="fundus_context", seed=seed, auroc=auroc, code="c0de",
                initialisation="random", shortcut=None, state="done",
                study="micro2-context",
            )
            | {MASS: 0.2 + rng.normal(0, 0.01)}
        )  # fmt: skip
    return every


def test_every_registered_contrast_has_a_line_with_its_numbers():
    section = planned_section(rows(12), CONTEXT)
    table = planned_table(rows(12), CONTEXT)
    (facts,) = section.tables
    assert [line[0] for line in facts.lines] == list(table)
    for line, one in zip(facts.lines, table.values(), strict=True):
        assert line[2] == "12 of 12" and line[-1] == one.verdict
        assert line[3] == page.points(one.mean, one.low, one.high)
        assert line[5] == f"{one.p_holm:.4f}"
    assert facts.lines[0][-2:] == ("better", "better")
    said = " ".join(section.text)
    assert "H1. Do gates help" in said and "better: SE − none, 1%" in said
    assert "nterim" not in said and "Lacking" not in said
    assert len(section.figures) == 2


def test_what_is_not_complete_is_interim_and_what_lacks_is_named():
    part = [r for r in rows(5) if (r["model"], r["seed"]) != ("se_micro_bagnet", 3)]
    part = [r for r in part if (r["regime"], r["model"][:2]) != (0.01, "cb")]
    section = planned_section(part, CONTEXT)
    lines = {line[0]: line for line in section.tables[0].lines}
    assert lines["H1: SE − none, 10%"][2] == "4 of 12"
    assert lines["H1: SE − none, 10%"][-1] == "probably better, interim"
    assert lines["H1: CBAM − none, 1%"][2::7] == ("0 of 12", "")
    said = " ".join(section.text)
    assert "Interim: 16 of the 16 contrasts" in said
    assert "no result yet: CBAM − none, 1%" in said
    assert "se_micro_bagnet on fundus_context at 10%, seed 3" in said


def test_one_seed_has_no_interval_in_text_or_table():
    section = planned_section(rows(1), CONTEXT)
    assert "nan" not in page.markdown_page("x", [section])
    assert planned_section([], CONTEXT).figures == []


def test_a_result_twice_is_said_and_not_averaged():
    section = planned_section([*rows(2), rows(1)[0]], CONTEXT)
    assert "one result of a network and seed" in section.text[0]
    assert section.tables == []


def test_the_section_stands_before_what_is_exploratory():
    sections = own_sections("micro2-context", rows(8), None)
    titles = [section.title for section in sections]
    planned, beyond = (
        titles.index(t) for t in ("Pre-registered contrasts", "Is it the attention?")
    )
    assert planned < beyond and sections[beyond].text[0] == EXPLORATORY
    plain = [r | {"study": "mine"} for r in rows(8)]
    sections = own_sections("mine", plain, None)
    assert "Pre-registered contrasts" not in [s.title for s in sections]
    assert EXPLORATORY not in [text for s in sections for text in s.text]


def test_a_registration_is_found_by_name_preset_or_folder(tmp_path):
    assert registration_of("micro2").name == "micro2"
    assert registration_of("micro") is None
    (tmp_path / "results.csv").write_text("id\n")
    assert registration_of("micro", tmp_path / "results.csv") is None
    (tmp_path / "study.json").write_text(json.dumps({"preregistration": "micro2"}))
    assert registration_of("mine", tmp_path).name == "micro2"
    (tmp_path / "study.json").write_text(json.dumps({"preregistration": "gone.toml"}))
    assert registration_of("mine", tmp_path) is None


def test_a_correlation_is_no_number_of_points():
    registered = read_preregistration("micro2")
    networks = {n for c in registered.contrasts for n in c.networks()}
    rng = np.random.default_rng(1)
    made = [
        rows(1)[0]
        | dict(model=m, dataset=d, regime=r, seed=seed, auroc=0.8 + value)
        | {MASS: 0.1 + value}
        for seed in range(3)
        for m, d, r in sorted(networks)
        for value in rng.normal(0, 0.02, 1)
    ]
    section = planned_section(made, registered)
    line = section.tables[0].lines[-1]
    assert line[0].startswith("H5") and line[3] == "+1.00 [+1.00, +1.00]"
    assert line[-1] == "probably better, interim"


def test_a_second_opinion_is_printed_where_it_disagrees():
    """A gain at 10% alone, of a contrast over all amounts of data: sure of these."""
    made = [
        r
        | {"auroc": r["auroc"] + 0.2 * (r["regime"] == 0.1) * (r["model"][:2] == "se")}
        for r in rows(8, gain=0.0)
    ]
    overall = replace(
        CONTEXT.contrasts[0], name="SE − none", regimes=(0.01, 0.1, 0.5, 1.0)
    )
    registered = replace(
        CONTEXT, contrasts=(overall,), hypotheses=CONTEXT.hypotheses[:1]
    )
    said = planned_section(made, registered).text
    assert any("SE − none, second opinion: a mixed model" in text for text in said)
    same = planned_section(rows(8, gain=0.2), registered).text
    assert not any("second opinion" in text for text in same)


def test_the_power_of_a_registered_family_is_that_of_its_registered_seeds():
    (section,) = power_section(rows(4), CONTEXT)
    lines = section.tables[0].lines
    assert [line[0] for line in lines] == ["H1", "H4-H1"]
    assert [line[2:4] for line in lines] == [("12", "8")] * 2
    assert "nan" not in page.markdown_page("x", [section])
    assert power_section(rows(2), CONTEXT) == [] == power_section([], CONTEXT)
