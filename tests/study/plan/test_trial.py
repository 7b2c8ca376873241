"""Trials: ids, hashes, and what is refused."""

import dataclasses

import pytest

from medattn.study import Trial, trial_id
from medattn.study.plan import trial as trial_module
from medattn.study.plan.trial import identified_config, read_trial


def test_another_trial_or_another_code_has_another_id(monkeypatch):
    one = Trial("micro_resnet")
    other = dataclasses.replace(one, weight_decay=0.1)
    assert trial_id(one) == trial_id(Trial("micro_resnet"))
    assert trial_id(one) != trial_id(other)
    before = trial_id(one)
    monkeypatch.setattr(trial_module, "code_fingerprint", lambda *_: "another")
    assert trial_id(one) != before
    assert trial_id(one).rpartition("-")[0] == before.rpartition("-")[0]


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


def test_other_data_have_another_id_and_stand_in_the_config():
    one = Trial("micro_resnet", "aptos2019")
    names = {trial_id(one, data=data) for data in (None, "a", "b")}
    assert len(names) == 3
    assert len({name.rpartition("-")[0] for name in names}) == 1
    assert identified_config(one, data="a")["data"] == "a"
    assert "data" not in identified_config(one)
    assert read_trial(identified_config(one, data="a")) == one
