"""The report: complete in one file, with the numbers of the results."""

import itertools
import json
import re
from dataclasses import asdict
from html.parser import HTMLParser

import numpy as np
import pytest

from medattn.figures import charts
from medattn.study import Trial, read_results, trial_id, write_report
from medattn.study.analyse.results import COLUMNS, write_results
from medattn.study.files import write_arrays
from medattn.study.plan.trial import trial_config
from medattn.study.report import report as report_module
from medattn.study.report.maps import gate_points
from medattn.study.report.questions import RELIANCE, add_reliance

MICRO = ("micro_resnet", "se_micro_resnet", "cbam_micro_resnet", "micro_deit")


class Page(HTMLParser):
    """Collects the ids, links, sources and headings of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.sources, self.heads = [], [], [], []
        self.heading = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs[key] for key in ("id",) if key in attrs]
        self.links += [attrs[key] for key in ("href",) if tag == "a" and key in attrs]
        self.sources += [attrs[key] for key in ("src", "data") if key in attrs]
        self.sources += [tag] * (tag in ("script", "link", "iframe", "object"))
        self.heading = tag if tag in ("h1", "h2", "h3") else self.heading

    def handle_data(self, text):
        if self.heading:
            self.heads.append(text)
            self.heading = None


def row(model, regime=1.0, seed=0, auroc=0.9, **more):
    """The row of a finished trial, with scores computed from its AUROC."""
    trial = Trial(model, regime=regime, seed=seed)
    found = dict.fromkeys(COLUMNS) | trial_config(trial)
    found |= {"id": trial_id(trial), "state": "done", "code": "c0de", "auroc": auroc}
    found |= {"auroc_low": auroc - 0.02, "auroc_high": min(1.0, auroc + 0.02)}
    found |= {"accuracy": auroc - 0.1, "majority_accuracy": 0.514}
    found |= {"lrp.epsilon:relevance_mass": auroc / 5}
    found |= {"lrp.epsilon:random_relevance_mass": 0.03}
    return found | more


def rows(seeds=3, **more):
    rng = np.random.default_rng(0)
    return [
        row(model, regime, seed, 0.8 + 0.1 * regime + rng.normal(0, 0.01), **more)
        for model, regime, seed in itertools.product(MICRO, (0.1, 1.0), range(seeds))
    ]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A report of three studies, as they are shipped."""
    folder = tmp_path_factory.mktemp("report")
    write_results(rows(), folder / "micro.csv")
    both = rows() + [r | {"auroc": r["auroc"] + 0.02} for r in rows()]
    for number, one in enumerate(both):
        one["initialisation"] = ("random", "shapes")[number >= len(both) // 2]
    write_results(both, folder / "pretraining.csv")
    planted = [
        row(model, 1.0, seed, 0.95 - rho / 10, shortcut=rho)
        | {"lrp.epsilon:shortcut_share": 0.2 + rho / 2}
        | ({"auroc_with_shortcut": 0.99} if rho else {})
        for model, seed, rho in itertools.product(MICRO[:3], range(3), (0.0, 0.9))
    ]
    write_results(planted, folder / "shortcut.csv")
    costs = [("se_densenet121", 7_357_314, 303_104, 2850.0)]
    html, markdown = write_report(folder / "r.html", folder, complexity=costs)
    return html.read_text(), markdown.read_text()


def test_the_page_needs_no_other_file_and_its_links_have_targets(written):
    page = Page(written[0])
    assert page.sources == []
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org)", written[0])
    assert len(page.ids) == len(set(page.ids))
    assert page.links and all(link[1:] in page.ids for link in page.links)
    used = re.findall(r'(?:xlink:)?href="#([^"]+)"|url\(#([^)]+)\)', written[0])
    assert {one or other for one, other in used} <= set(page.ids)


def test_every_question_of_the_study_has_its_section(written):
    heads = Page(written[0]).heads
    for title in (
        "As published",
        "Ours: micro",
        "Is it the attention?",
        "Attention or pretraining?",
        "Who falls for a shortcut?",
        "Where the maps point: lrp.epsilon",
        "What attention costs",
    ):
        assert title in heads
        assert re.search(rf"^##+ {re.escape(title)}$", written[1], re.MULTILINE)
    assert "3 seeds each" in written[1] and "8 could" in written[1]
    assert "| se_densenet121 | 7,357,314 | 7,357,314 | 303,104 | 4.1% |" in written[1]


def test_the_published_figure_shows_the_majority_and_the_starts():
    (section,) = report_module.published_sections()
    (figure,) = [figure for _, figure in section.figures]
    titles = ["APTOS2019, eyes", "ISIC2020, skin", "MIMIC-CXR, chest"]
    assert [axis.get_title(loc="left") for axis in figure.axes] == titles
    expected = {"eyes": 279 / 550, "skin": 6838 / 6965, "chest": 861 / 1072}
    for axis, height in zip(figure.axes, expected.values(), strict=True):
        levels = {tuple(line.get_ydata()) for line in axis.lines}
        assert (height, height) in levels
        drawn = [line for line in axis.lines if len(line.get_xdata()) == 4]
        hollow = [line for line in drawn if line.get_markerfacecolor() == "white"]
        assert len(drawn) == 7 and len(hollow) == 3
    assert "28 of 28 accuracies lie below" in section.text[1]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "cbam_resnet50 (random start)" in legend and "resnet50" in legend


def test_the_pretraining_section_compares_start_and_gate(written):
    page = written[1]
    part = page[page.index("## Ours: pretraining") : page.index("## Ours: shortcut")]
    assert "pretrained − scratch: +2.00 points" in part
    assert "larger mean difference is the start's: 2.00 points" in part
    assert "None of them can be distinguished from chance with these seeds." in part
    assert "| no gate | shapes | 3 |" in part
    assert "| SE − none | pretrained on shapes | 3 |" in part


def test_the_auroc_lost_is_measured_against_the_control_without_the_shortcut(written):
    part = written[1][written[1].index("## Ours: shortcut") :]
    assert "| fundus | SE | 3 | .950 [.950, .950] | .860" in part
    assert "+9.00 [+9.00, +9.00] | 20% | 65% |" in part
    pair = [row("micro_resnet", auroc=a, shortcut=s) for a, s in ((0.9, 0.0), (0.7, 1))]
    lost = [r[RELIANCE] for r in add_reliance(pair)]
    assert lost == [None, pytest.approx(0.2)]
    assert add_reliance(pair[1:])[0][RELIANCE] is None  # there is no control


def test_one_seed_and_a_failed_trial_are_reported(tmp_path):
    few = rows(seeds=1)
    few[0] |= {"state": "failed", "reason": "The training diverged.", "auroc": None}
    sections = report_module.own_sections("s", few, tmp_path)
    printed = " ".join(text for section in sections for text in section.text)
    assert "1 seed each (of seeds 0)" in printed and "cannot tell" in printed
    assert "1 trials failed" in printed and "The training diverged." in printed
    assert report_module.own_sections("s", few[:1], tmp_path)[0].text == [
        "No trial has finished."
    ]


def test_missing_seeds_are_counted():
    some = [r for r in rows(3) if not (r["seed"] == 2 and r["model"] == "micro_deit")]
    (first, *_) = report_module.own_sections("s", some, None)
    assert "2 to 3 seeds each (of seeds 0, 1, 2)" in first.text[0]


def test_results_of_two_versions_of_the_code_are_two_studies():
    mixed = rows(2) + [r | {"code": "0ther"} for r in rows(2)]
    for one in mixed:
        one["study"] = "micro"
    titles = [section.title for section in report_module.study_sections(mixed)]
    assert "Ours: micro, code c0de" in titles and "Ours: micro, code 0ther" in titles


def test_maps_of_a_gate_are_averaged_within_a_seed():
    """Two trunks a seed: seed 0 has .1 and .3, seed 1 has .4 and .4: mean .3."""
    some = [
        row("se_micro_resnet", seed=0, **{"m:x": 0.1}),
        row("se_micro_densenet", seed=0, **{"m:x": 0.3}),
        row("se_micro_resnet", seed=1, **{"m:x": 0.4}),
        row("se_micro_densenet", seed=1, **{"m:x": 0.4}),
    ]
    ((regime, mean, low, high),) = gate_points(some, "m:x")["fundus"]["se"]
    reach = 12.7062 * 0.1  # t(.975; 1) times the standard error of .2 and .4
    assert (regime, mean) == (1.0, pytest.approx(0.3))
    assert (mean - low, high - mean) == pytest.approx((reach, reach), abs=1e-4)


def test_a_trial_has_a_page_and_an_unknown_one_is_refused(tmp_path):
    trial = Trial("micro_resnet", steps=4)
    folder = tmp_path / trial_id(trial)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(asdict(trial) | {"code": "c0de"}))
    history = [
        dict(step=s, loss=1 / s, val_loss=2 / s, val_auroc=0.5 + s / 10) for s in (2, 4)
    ]
    lines = "".join(json.dumps(line) + "\n" for line in history)
    (folder / "history.jsonl").write_text(lines)
    outcome = {"state": "done", "test": {"auroc": 0.91}, "validation": {"auroc": 0.9}}
    (folder / "done.json").write_text(json.dumps(outcome))
    html, markdown = write_report(tmp_path / "t.html", tmp_path, trial=folder.name)
    assert "| auroc | 0.9000 | 0.9100 |" in markdown.read_text()
    assert "learning_rate" in html.read_text() and "<svg" in html.read_text()
    with pytest.raises(ValueError, match="There is no trial 'x'.*micro_resnet"):
        write_report(tmp_path / "t.html", tmp_path, trial="x")
    with pytest.raises(ValueError, match="ending in .html"):
        write_report(tmp_path / "t.docx", tmp_path)


def test_results_written_and_read_are_the_same(tmp_path):
    written = rows(1)
    write_results(written, tmp_path / "s.csv")
    read = read_results(tmp_path / "s.csv")
    assert [{k: r[k] for k in written[0]} for r in read] == written
    with pytest.raises(ValueError, match="There are no results"):
        read_results(tmp_path / "none.csv")


def test_the_shipped_bins_give_the_calibration_curve(tmp_path):
    from medattn.study.analyse.calibration_table import (
        count_bins,
        read_bins,
        write_bins,
    )
    from medattn.study.report.sections import calibration_sections

    probability = np.repeat([0.1, 0.9], [60, 40])
    labels = np.concatenate([np.arange(60) < 6, np.arange(40) < 30]).astype(int)
    done = rows(2)[:2]  # two seeds of one cell
    for one in done:
        (tmp_path / one["id"]).mkdir()
        both = np.stack([1 - probability, probability], axis=1)
        write_arrays(
            tmp_path / one["id"] / "predictions.npz",
            test_probabilities=both,
            test_labels=labels,
        )
    lines = count_bins(done, tmp_path)
    assert [(b["images"], b["said"], b["happened"]) for b in lines] == [
        (120, 0.1, 0.1),
        (80, 0.9, 0.75),
    ]
    write_bins(lines, tmp_path / "calibration" / "s.csv")
    assert read_bins(tmp_path / "calibration" / "s.csv") == lines
    (section,) = calibration_sections(lines)
    curve = section.figures[0][1].axes[0].lines[1]
    np.testing.assert_allclose(curve.get_xydata(), [[0.1, 0.1], [0.9, 0.75]])
    assert calibration_sections([]) == []


def test_the_same_numbers_give_the_same_svg():
    first, second = (
        charts.svg(charts.forest_figure([("a", 0.1, 0.0, 0.2, "x")], label="d"))
        for _ in range(2)
    )
    assert first == second


def test_a_heading_in_the_forest_figure_is_bold_and_without_interval():
    lines = [
        ("by amount of data", None, None, None, None),
        ("at 1%", 0.02, 0.01, 0.03, ""),
        ("overall", -0.1, -0.2, 0.1, "cannot tell"),
    ]
    axis = charts.forest_figure(lines, label="d").axes[0]
    bold = [tick.get_fontweight() for tick in axis.get_yticklabels()]
    assert bold == ["bold", "normal", "bold"]
    drawn = {float(line.get_ydata()[0]) for line in axis.lines[1:]}  # 0 is at zero
    assert drawn == {1.0, 2.0}
    assert [note.get_text() for note in axis.texts] == ["", "cannot tell"]
    filled = [line.get_mfc() != "white" for line in axis.lines[2::2]]
    assert filled == [True, False]
