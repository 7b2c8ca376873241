"""The README: its code prints what it says, and its numbers are those measured."""

import re
from pathlib import Path

import numpy as np

from medattn.study.analyse.contrasts import contrast_table
from medattn.study.analyse.results import SHIPPED, read_results

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MODELS = ("micro_resnet", "se_micro_resnet", "cbam_micro_resnet")
MASS = "lrp.epsilon:relevance_mass"


def test_the_code_prints_what_its_comments_say(capsys):
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    assert len(code.strip().splitlines()) <= 10
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    expected = re.findall(r"^print.*  #\s(.+)$", code, re.MULTILINE)
    assert printed == expected


def test_the_table_is_the_mean_over_the_shipped_seeds():
    trials = [
        row for row in read_results(SHIPPED / "micro.csv") if row["dataset"] == "fundus"
    ]

    def mean(model, regime, metric):
        cell = [r for r in trials if (r["model"], r["regime"]) == (model, regime)]
        assert len(cell) == len({row["seed"] for row in trials})
        return np.mean([row[metric] for row in cell])

    rows = re.findall(r"^\| (\d+)% \| (.+) \|$", README, re.MULTILINE)
    assert [row[0] for row in rows] == ["1", "10", "50", "100"]
    for percent, cells in rows:
        regime = int(percent) / 100
        expected = [f"{mean(MODELS[0], regime, 'train_images'):.0f}"]
        for metric, form in (("auroc", ".3f"), (MASS, ".1%")):
            found = [format(mean(name, regime, metric), form) for name in MODELS]
            expected += [each.lstrip("0") if form == ".3f" else each for each in found]
        assert cells.split(" | ") == expected
    noise = mean(MODELS[0], 1.0, "lrp.epsilon:random_relevance_mass")
    edges = mean(MODELS[0], 1.0, "lrp.epsilon:edges_relevance_mass")
    assert f"random map scores {noise:.1%}, an edge detector {edges:.1%}" in README


def test_its_contrasts_are_those_of_the_shipped_results():
    def points(value):
        return f"{100 * value:+.2f}".replace("-", "−")

    found = contrast_table(read_results(SHIPPED / "micro.csv"))
    starts = contrast_table(read_results(SHIPPED / "pretraining.csv"))
    found["pretrained − scratch"] = starts["pretrained − scratch"]
    assert len(found) == 4
    for name, one in found.items():
        low, high = points(one.low), points(one.high)
        line = f"- {name}: {points(one.mean)} [{low}, {high}], {one.verdict}"
        assert line in README


def test_its_links_and_pictures_exist():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) >= 8
    for link in links:
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_ci_runs_the_test_command_of_the_readme():
    commands = re.findall(r"```\n(pip install uv[^\n]*)\n```", README)
    assert commands == [
        "pip install uv && uv run medattn app",
        "pip install uv && uv run pytest",
    ]
    assert "uv && uv run pytest" in (ROOT / ".ci" / "run").read_text()
