"""The pre-registration: what it holds, what it refuses, and the page made of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from medattn.study.analyse.results import read_results
from medattn.study.analyse.statistics import ALPHA, minimum_seeds
from medattn.study.plan.known_names import names_in_source
from medattn.study.plan.preregistration import (
    list_preregistrations,
    read_preregistration,
)
from medattn.study.plan.preregistration_page import RULES, preregistration_page
from medattn.study.plan.presets import MICRO
from medattn.study.plan.read import read_study
from medattn.study.plan.study import SYNTHETIC, Study, change_study
from medattn.study.plan.trial import Trial, trial_config, trial_id

PAGE = Path(__file__).parents[3] / "docs" / "preregistration.md"
SHIPPED = [read_preregistration(name) for name in list_preregistrations()]
ONE = """
like = "micro2"
title = "small"
seeds = 3
regimes = [0.1, 1.0]
[[hypotheses]]
id = "A"
question = "Does SE help?"
expectation = "No."
[[contrasts]]
hypothesis = "A"
name = "SE − none"
metric = "auroc"
one = ["se_micro_resnet"]
other = ["micro_resnet"]
datasets = ["fundus"]
"""


def registration(tmp_path, text=ONE):
    path = tmp_path / "small.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_page_is_that_of_the_shipped_files():
    """Else: python -c "from medattn.study.plan.preregistration_page import *;
    print(preregistration_page(), end='')" > docs/preregistration.md"""
    assert PAGE.read_text(encoding="utf-8") == preregistration_page()


def test_every_hypothesis_is_answered_and_every_rule_said():
    ids = [one.id for shipped in SHIPPED for one in shipped.hypotheses]
    assert sorted(ids) == ["H1", "H2", "H3", "H4-H1", "H4-H2", "H4-H3", "H5"]
    for shipped in SHIPPED:
        answered = {contrast.hypothesis for contrast in shipped.contrasts}
        assert answered == {one.id for one in shipped.hypotheses}
        assert shipped.alpha == ALPHA
        assert all(len(getattr(shipped, rule)) > 50 for rule in RULES)


def test_the_families_have_the_sizes_that_were_planned_and_can_pass_holm():
    sizes = {
        family: len(planned)
        for shipped in SHIPPED
        for family, planned in shipped.families().items()
    }
    mass = "lrp.epsilon:relevance_mass"
    assert sizes == {
        ("H1", "auroc"): 8,
        ("H2", "auroc"): 2,
        ("H3", "auroc"): 4,
        ("H4-H1", mass): 8,
        ("H4-H2", mass): 2,
        ("H4-H3", mass): 4,
        ("H5", mass): 1,
    }
    for shipped in SHIPPED:
        for planned in shipped.families().values():
            for contrast in planned:
                assert len(contrast.seeds) >= minimum_seeds(len(planned))


def test_every_registered_name_is_known():
    for shipped in SHIPPED:
        for model, dataset, _ in {n for c in shipped.contrasts for n in c.networks()}:
            assert model in names_in_source("model")
            assert dataset in names_in_source("data set")
        for metric in {c.metric for c in shipped.contrasts} - {"auroc"}:
            assert metric in read_results()[0]


def test_a_cell_of_matched_trunks_has_one_network_a_side():
    contrast = SHIPPED[0].contrasts[0]
    cells = contrast.cells()
    assert len(cells) == 3 * 4 * 2
    assert cells["chest", 0.1, "micro_resnet"] == (
        ("se_micro_resnet",),
        ("micro_resnet",),
    )
    assert len(contrast.networks()) == 4 * 3 * 4


def test_a_complete_plan_is_accepted_and_its_trials_are_the_same():
    plain = Study("micro2", MICRO, SYNTHETIC, seeds=(0, 1))
    registered = replace(plain, preregistration="micro2")
    assert registered.trials() == plain.trials()
    assert "preregistration" not in trial_config(plain.trials()[0])
    assert trial_id(registered.trials()[0]) == trial_id(plain.trials()[0])


def test_a_plan_that_cannot_answer_is_refused_with_the_missing_cells(tmp_path):
    source = registration(tmp_path)
    both = ("micro_resnet", "se_micro_resnet")
    Study("mine", both, regimes=(0.1, 1.0), preregistration=source)
    with pytest.raises(ValueError) as refused:
        Study("mine", both, regimes=(0.1,), preregistration=source)
    said = str(refused.value)
    assert "'small'" in said and "A: SE − none" in said
    assert said.endswith(
        "without: se_micro_resnet on fundus at 100%; micro_resnet on fundus at 100%"
    )
    with pytest.raises(ValueError, match="without: se_micro_resnet on fundus at 10%"):
        Study("mine", both[:1], regimes=(0.1, 1.0), preregistration=source)


@pytest.mark.parametrize(
    "options",
    [{"initialisations": "shapes"}, {"shortcuts": 0.0}, {"datasets": "chest"}],
)
def test_trials_of_another_kind_are_no_answer(tmp_path, options):
    with pytest.raises(ValueError, match="cannot answer 1 of the 1 contrasts"):
        Study(
            "mine",
            ("micro_resnet", "se_micro_resnet"),
            preregistration=registration(tmp_path),
            **options,
        )


def test_a_file_that_changes_a_registered_study_is_checked(tmp_path, monkeypatch):
    from medattn.study.plan import presets, read

    known = {"micro2": Study("micro2", MICRO, SYNTHETIC, preregistration="micro2")}
    monkeypatch.setattr(read, "PRESETS", presets.PRESETS | known)
    path = tmp_path / "mine.toml"
    path.write_text('preset = "micro2"\nseeds = [5]\n')
    assert read_study(path).preregistration == "micro2"
    path.write_text('preset = "micro2"\ndatasets = ["fundus"]\n')
    with pytest.raises(ValueError, match="micro_deit on chest at 1%, 10%, 50%, 100%"):
        read_study(path)
    path.write_text('preset = "micro2"\ndatasets = ["fundus"]\npreregistration = ""\n')
    assert read_study(path).datasets == ("fundus",)


def test_the_command_line_runs_a_part_only_when_asked(monkeypatch):
    from medattn.cli.study import Selection
    from medattn.study.plan import presets, read

    known = {"micro2": Study("micro2", MICRO, SYNTHETIC, preregistration="micro2")}
    monkeypatch.setattr(read, "PRESETS", presets.PRESETS | known)
    few = Selection("micro2", models=("micro_resnet",))
    with pytest.raises(ValueError, match="cannot answer 13 of the 13"):
        few.study()
    assert replace(few, part=True).study().models == ("micro_resnet",)
    assert Selection("micro2", seeds=(3,)).study().preregistration == "micro2"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"A"\nname', '"B"\nname', "Unknown hypothesis 'B'"),
        ("SE − none", 'SE"\nregime = 1\nx = "', "Unknown entry of a planned contrast"),
        ('metric = "auroc"\n', "", "lacks entries.*metric"),
        ('other = ["micro_resnet"]\n', "", "different networks on both sides"),
        ('["micro_resnet"]', '["se_micro_resnet"]', "different networks on both sides"),
        ("seeds = 3", "seeds = 0", "has data sets, regimes and seeds"),
        ('metric = "auroc"', 'metric = "auroc"\nkind = "sum"', "Unknown kind"),
        ('metric = "auroc"', 'metric = "auroc"\nexpectation = "yes"', "Unknown expect"),
        ('metric = "auroc"', 'metric = "auroc"\nmatched = ["seed"]', "matched factor"),
        ('title = "small"', 'title = "small"\nalpha = 0.1', "Expected alpha = 0.05"),
        ('like = "micro2"', "alpha = 0.05", "A pre-registration lacks entries"),
        ('like = "micro2"', 'like = "micro3"', "Did you mean micro2"),
        ('title = "small"', "title = small", "is no TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path, old, new, said):
    assert old in ONE
    with pytest.raises(ValueError, match=said):
        read_preregistration(registration(tmp_path, ONE.replace(old, new)))


def test_a_contrast_named_twice_or_a_file_that_is_missing_is_refused(tmp_path):
    contrast = ONE[ONE.index("[[contrasts]]") :]
    with pytest.raises(ValueError, match="every contrast once"):
        read_preregistration(registration(tmp_path, ONE + contrast))
    with pytest.raises(ValueError, match="no pre-registration"):
        read_preregistration(tmp_path / "none.toml")
    with pytest.raises(ValueError, match="Unknown pre-registration 'macro2'"):
        change_study(Study(), preregistration="macro2")


def test_a_contrast_matched_by_trunk_has_both_sides_of_each(tmp_path):
    contrast = SHIPPED[0].contrasts[0]
    with pytest.raises(ValueError, match="both sides of every cell"):
        replace(contrast, one=contrast.one[:1])
    with pytest.raises(ValueError, match="three networks or more"):
        replace(SHIPPED[0].contrasts[-1], against=None)
    assert Trial("micro_resnet").initialisation == "random"
