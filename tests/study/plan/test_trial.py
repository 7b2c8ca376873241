"""Trials: ids, hashes, and what is refused."""

import dataclasses
from pathlib import Path

import pytest

import medattn
from medattn.study import Trial, trial_id
from medattn.study.plan import trial as trial_module
from medattn.study.plan.code import DECIDING, bare_code


def test_another_trial_or_another_code_has_another_id(monkeypatch):
    one = Trial("micro_resnet")
    other = dataclasses.replace(one, weight_decay=0.1)
    assert trial_id(one) == trial_id(Trial("micro_resnet"))
    assert trial_id(one) != trial_id(other)
    before = trial_id(one)
    monkeypatch.setattr(trial_module, "code_fingerprint", lambda: "of another version")
    assert trial_id(one) != before
    assert trial_id(one).rpartition("-")[0] == before.rpartition("-")[0]


def test_a_comment_does_not_change_the_code_and_a_number_does():
    code = 'def f(x):\n    """Doubles."""\n    return 2 * x\n'
    assert bare_code(code) == bare_code("# new\n" + code.replace("Doubles", "Twice"))
    assert bare_code(code) != bare_code(code.replace("2 *", "3 *"))


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


def test_every_file_that_decides_a_trial_exists():
    package = Path(medattn.__file__).parent
    assert [part for part in DECIDING if not (package / part).exists()] == []
