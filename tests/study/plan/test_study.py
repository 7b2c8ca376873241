"""Studies: presets, files, and what is refused."""

import pytest

from medattn.study import PRESETS, Study, Trial, read_study
from medattn.study.plan.study import change_study
from medattn.study.plan.trial import pretraining


def test_the_micro_study_has_504_trials_and_seeds_change_slowest():
    trials = PRESETS["micro"].trials()
    assert len(set(trials)) == len(trials) == 7 * 3 * 4 * 6 == 504
    assert [t.seed for t in trials] == sorted(t.seed for t in trials)


def test_the_paper_study_has_the_published_protocol():
    trials = PRESETS["paper"].trials()
    assert len(trials) == 7 * 3 * 4
    for trial in trials:
        assert (trial.epochs, trial.learning_rate, trial.batch_size) == (300, 1e-6, 32)
        assert trial.class_weights == (trial.dataset != "aptos2019")
        assert (trial.selection, trial.validation) == ("best", "full")
    scratch = {t.model for t in trials if t.initialisation == "random"}
    assert scratch == {"se_densenet121", "cbam_densenet121", "cbam_resnet50"}


def test_pretraining_trials_come_first_and_are_shared_by_the_gates():
    trials = PRESETS["pretraining"].trials()
    first = [t for t in trials if t.dataset == "shapes"]
    assert trials[: len(first)] == first
    assert {(t.model, t.seed) for t in first} == {("micro_resnet", s) for s in range(3)}
    assert pretraining(Trial("cbam_micro_resnet", initialisation="shapes")) in first


def test_a_study_file_changes_only_what_it_names(tmp_path):
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
    ("text", "message"),
    [
        ('modles = ["micro_resnet"]', "Did you mean models"),
        ("[budget]\nstep = 3", "Did you mean steps"),
        ("[budget]\nsteps = 0", "steps > 0"),
        ("seeds = []", "at least one of everything"),
        ('preset = "mikro"', "Did you mean micro"),
        ("models = [", "no TOML"),
    ],
)
def test_a_study_file_with_a_mistake_is_refused_with_a_hint(tmp_path, text, message):
    path = tmp_path / "mistake.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_study(path)


def test_unknown_names_are_refused_with_similar_ones():
    with pytest.raises(ValueError, match="Did you mean cbam_micro_resnet"):
        Study(models="cbam_mirco_resnet").check_names()
    with pytest.raises(ValueError, match="Did you mean fundus"):
        Study(datasets="fundsu").check_names()
    with pytest.raises(ValueError, match="Did you mean lrp.epsilon"):
        Study(analyzers="lrp.epsylon").check_names()
    with pytest.raises(ValueError, match="There is no study file"):
        read_study("nowhere.toml")


def test_changed_options_are_merged():
    study = change_study(PRESETS["paper"], budget={"epochs": 2})
    assert study.budget["learning_rate"] == 1e-6 and study.budget["epochs"] == 2
