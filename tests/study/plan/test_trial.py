"""Trials and studies: names, hashes, files, and what is refused."""

import dataclasses

import pytest

from medattn.study import PRESETS, Study, Trial, read_study, trial_id
from medattn.study.plan import trial as room
from medattn.study.plan.study import change_study
from medattn.study.plan.trial import bare_code, pretraining


def test_another_trial_and_another_code_have_another_folder(monkeypatch):
    one = Trial("micro_resnet")
    other = dataclasses.replace(one, weight_decay=0.1)
    assert trial_id(one) == trial_id(Trial("micro_resnet"))
    assert trial_id(one) != trial_id(other)
    before = trial_id(one)
    monkeypatch.setattr(room, "code_fingerprint", lambda: "of another version")
    assert trial_id(one) != before
    assert trial_id(one).rpartition("-")[0] == before.rpartition("-")[0]


def test_a_comment_is_no_change_of_the_code_and_a_number_is():
    code = 'def f(x):\n    """Doubles."""\n    return 2 * x\n'
    assert bare_code(code) == bare_code("# new\n" + code.replace("Doubles", "Twice"))
    assert bare_code(code) != bare_code(code.replace("2 *", "3 *"))


def test_the_micro_study_is_504_trials_with_whole_seeds_first():
    trials = PRESETS["micro"].trials()
    assert len(set(trials)) == len(trials) == 7 * 3 * 4 * 6 == 504
    assert [t.seed for t in trials] == sorted(t.seed for t in trials)


def test_the_paper_is_as_it_was_run():
    trials = PRESETS["paper"].trials()
    assert len(trials) == 7 * 3 * 4
    for trial in trials:
        assert (trial.epochs, trial.learning_rate, trial.batch_size) == (300, 1e-6, 32)
        assert trial.class_weights == (trial.dataset != "aptos2019")
        assert (trial.selection, trial.validation) == ("best", "full")
    scratch = {t.model for t in trials if t.initialisation == "random"}
    assert scratch == {"se_densenet121", "cbam_densenet121", "cbam_resnet50"}


def test_pretraining_comes_first_and_is_shared_by_the_gates():
    trials = PRESETS["pretraining"].trials()
    first = [t for t in trials if t.dataset == "shapes"]
    assert trials[: len(first)] == first
    assert {(t.model, t.seed) for t in first} == {("micro_resnet", s) for s in range(3)}
    assert pretraining(Trial("cbam_micro_resnet", initialisation="shapes")) in first


def test_a_study_file_changes_what_it_names(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(
        'preset = "micro"\nmodels = ["micro_resnet"]\nseeds = [0, 1]\n'
        "[budget]\nsteps = 40\n[by_model.micro_resnet]\nlearning_rate = 0.001\n"
    )
    study = read_study(path)
    assert study.name == "small" and study.datasets == PRESETS["micro"].datasets
    trials = study.trials()
    assert len(trials) == 1 * 3 * 4 * 2
    assert {(t.steps, t.learning_rate) for t in trials} == {(40, 0.001)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('modles = ["micro_resnet"]', "Did you mean models"),
        ("[budget]\nstep = 3", "Did you mean steps"),
        ("[budget]\nsteps = 0", "steps > 0"),
        ("seeds = []", "at least one of everything"),
        ('preset = "mikro"', "Did you mean micro"),
        ("models = [", "no TOML"),
    ],
)
def test_a_study_file_with_a_slip_is_refused_with_a_hint(tmp_path, text, said):
    path = tmp_path / "slip.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_study(path)


def test_unknown_names_are_answered_with_near_ones():
    with pytest.raises(ValueError, match="Did you mean cbam_micro_resnet"):
        Study(models="cbam_mirco_resnet").check_names()
    with pytest.raises(ValueError, match="Did you mean fundus"):
        Study(datasets="fundsu").check_names()
    with pytest.raises(ValueError, match="Did you mean lrp.epsilon"):
        Study(analyzers="lrp.epsylon").check_names()
    with pytest.raises(ValueError, match="There is no study file"):
        read_study("nowhere.toml")


@pytest.mark.parametrize(
    "change",
    [
        dict(selection="lats"),
        dict(shortcut=1.5),
        dict(initialisation="imagnet"),
        dict(rounds=0),
    ],
)
def test_an_impossible_trial_is_refused(change):
    with pytest.raises(ValueError, match="Expected .* Received"):
        Trial("micro_resnet", **change)


def test_options_given_later_are_merged():
    study = change_study(PRESETS["paper"], budget={"epochs": 2})
    assert study.budget["learning_rate"] == 1e-6 and study.budget["epochs"] == 2
