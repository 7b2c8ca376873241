"""The report as a part of another page: the same sections, no page around them."""

import re

import pytest

from medattn.models import complexity, create_model, list_models
from medattn.study.analyse.results import COLUMNS, write_results
from medattn.study.report.fragment import known_costs, report_fragment
from medattn.study.report.report import write_report


def trial(model, seed, auroc):
    empty = dict.fromkeys(COLUMNS)
    known = dict(
        id=f"{model}-{seed}", model=model, dataset="fundus", regime=1.0, seed=seed,
        initialisation="random", state="done", auroc=auroc, code="a",
        accuracy=0.8, majority_accuracy=0.5,
    )  # fmt: skip
    return empty | known


def test_a_fragment_has_the_sections_of_the_page_and_lists_seeds(tmp_path):
    models = ("micro_resnet", "cbam_micro_resnet")
    rows = [
        trial(model, seed, 0.8 + 0.01 * seed + 0.002 * k)
        for seed in (0, 1, 2)
        for k, model in enumerate(models)
    ]
    write_results(rows, tmp_path / "micro.csv")
    html, seeds = report_fragment(tmp_path)
    assert seeds == {"micro": [0, 1, 2]}
    page = write_report(tmp_path / "report.html", tmp_path)[0].read_text()
    headings = re.findall(r"<h[23] id=[^>]+>([^<]+)<", html)
    of_page = re.findall(r"<h[23] id=[^>]+>([^<]+)<", page)
    assert headings == [*of_page, "What attention costs"]
    assert "As published" in headings and "Ours: micro" in headings
    assert "<html" not in html and "<style>:root" not in html


def test_without_results_only_the_published_figure_is_shown(tmp_path):
    html, seeds = report_fragment(tmp_path / "nothing")
    assert seeds == {} and "As published" in html and "No results yet" in html


def computed(name):
    cost = complexity(create_model(name))
    count = cost["parameters"]
    return count["total"], count["attention"], cost["multiply_adds"]["total"] / 1e6


def test_the_stored_costs_are_those_of_the_micro_networks():
    known = {name: tuple(rest) for name, *rest in known_costs()}
    assert list(known) == list_models()
    for name in ("se_micro_resnet", "cbam_micro_resnet", "micro_deit"):
        assert known[name] == computed(name)


@pytest.mark.slow
def test_the_stored_costs_are_those_of_all_networks():
    for name, *rest in known_costs():
        assert tuple(rest) == computed(name)
