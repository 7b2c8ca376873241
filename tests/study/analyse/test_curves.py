"""Learning curves: averaged over seeds, added in parts, written and read."""

import json

import pytest

from medattn.figures.learning_curves import learning_curve_figure
from medattn.study.analyse.curves import (
    add_curves,
    mean_curves,
    read_curves,
    write_curves,
)
from medattn.study.report.budgets import budget_sections, cost_table

AUROC = {0: (0.5, 0.8), 1: (0.7, 0.9)}  # of two seeds after 10 and 20 steps


@pytest.fixture
def study(tmp_path):
    """A study's folder of two seeds and a failed trial, and its rows."""
    rows = []
    for seed, values in AUROC.items():
        folder = tmp_path / f"trial{seed}"
        folder.mkdir()
        lines = [
            {"step": 10 * (k + 1), "loss": 1.0 - k / 2, "val_auroc": value}
            for k, value in enumerate(values)
        ]
        (folder / "history.jsonl").write_text(
            "".join(f"{json.dumps(x)}\n" for x in lines)
        )
        rows.append(row(folder.name, seed=seed, auroc=values[-1], seconds=30 + seed))
    return tmp_path, [*rows, row("failed", state="failed", auroc=None)]


def row(name, **changes):
    plain = dict(
        id=name, dataset="fundus", model="micro_resnet", initialisation="random",
        shortcut=None, regime=1.0, seed=0, state="done", steps=20, batch_size=16,
        learning_rate=0.01, seconds=30.0, auroc=0.8,
    )  # fmt: skip
    return plain | changes


def test_means_over_the_seeds_by_hand(study):
    folder, rows = study
    table = mean_curves(rows, folder)
    assert [(r["step"], r["seeds"]) for r in table] == [(10, 2), (20, 2)]
    assert [r["val_auroc"] for r in table] == pytest.approx([0.6, 0.85])
    assert [r["loss"] for r in table] == [1.0, 0.5]


def test_parts_add_up_to_the_whole_and_survive_a_file(study, tmp_path):
    folder, rows = study
    parts = [mean_curves([one], folder) for one in rows]
    assert add_curves(parts[0], parts[1]) == mean_curves(rows, folder)
    write_curves(parts[0], tmp_path / "curves" / "a.csv")
    assert read_curves(tmp_path / "curves" / "a.csv") == parts[0]
    assert read_curves(tmp_path / "none.csv") == [] == parts[2]


def test_the_section_shows_every_network_and_what_its_budget_costs(study):
    folder, rows = study
    done = [r | {"study": "s"} for r in rows[:2]]
    (section,) = budget_sections(done, folder)
    assert "100% of the data" in section.text[0]
    (line,) = section.tables[0].lines
    assert line == ("micro_resnet", "20", "16", "0.01", "30", ".850")
    assert budget_sections(done, folder / "nothing") == []
    two = cost_table([*done, row("x", model="micro_deit", steps=9)])
    assert [line[:2] for line in two.lines] == [
        ("micro_resnet", "20"),
        ("micro_deit", "9"),
    ]


def test_the_figure_has_one_line_a_network_with_its_points():
    curves = {
        "fundus": {"micro_resnet": [(10, 0.6), (20, 0.8)], "micro_deit": [(40, 0.7)]},
        "chest": {"micro_resnet": [(10, 0.5)]},
    }
    figure = learning_curve_figure(curves)
    first, second = figure.axes
    assert [line.get_xydata().tolist() for line in first.lines] == [
        [[10, 0.6], [20, 0.8]],
        [[40, 0.7]],
    ]
    assert len(second.lines) == 1 and second.get_title(loc="left") == "chest"
