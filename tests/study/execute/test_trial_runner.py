"""Trials that are killed, resumed, damaged or out of disk end the same."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from medattn.study import Study, Trial, run_trial, study_status, trial_id
from medattn.study.execute import rounds, train, trial_runner

TINY = dict(dataset="shapes", size=32, steps=9, rounds=4, batch_size=16)
IDENTICAL = ("weights.safetensors", "predictions.npz", "history.jsonl", "ids.json")


def contents(folder):
    """Reads the files of a folder that must be the same to the bit."""
    return {
        f"{trial.name}/{name}": (trial / name).read_bytes()
        for trial in sorted(Path(folder).iterdir())
        if trial.is_dir()
        for name in (*IDENTICAL, "done.json", "config.json")
        if (trial / name).exists()
    }


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A tiny trial that ran without interruption."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    outcome = run_trial(Trial("se_micro_resnet", **TINY), folder)
    return folder, outcome


class Interrupted(Exception):
    """Stands for a kill."""


def interrupt_after(monkeypatch, count):
    """Ends the training when a number of rounds has been saved."""
    save, left = rounds.save_checkpoint, [count]

    def saving(*args):
        save(*args)
        left[0] -= 1
        if not left[0]:
            raise Interrupted

    monkeypatch.setattr(rounds, "save_checkpoint", saving)


@pytest.mark.slow
def test_a_trial_interrupted_twice_ends_with_the_same_bits(
    uninterrupted, tmp_path, monkeypatch
):
    trial = Trial("se_micro_resnet", **TINY)
    for count in (1, 2):
        with monkeypatch.context() as patch:
            interrupt_after(patch, count)
            with pytest.raises(Interrupted):
                run_trial(trial, tmp_path)
    assert run_trial(trial, tmp_path) == uninterrupted[1]
    assert contents(tmp_path) == contents(uninterrupted[0])


@pytest.mark.slow
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_used(
    uninterrupted, tmp_path, monkeypatch, capsys
):
    trial = Trial("se_micro_resnet", **TINY)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 3)
        with pytest.raises(Interrupted):
            run_trial(trial, tmp_path)
    newest = max((tmp_path / trial_id(trial)).glob("checkpoint-*.bin"))
    newest.write_bytes(newest.read_bytes()[:-7])
    run_trial(trial, tmp_path)
    assert "is damaged" in capsys.readouterr().out
    assert contents(tmp_path) == contents(uninterrupted[0])


@pytest.mark.slow
def test_random_layers_are_the_same_after_an_interruption(tmp_path, monkeypatch):
    """A network with dropout, whose random state Keras keeps in a variable."""

    def with_dropout(name, *, num_classes, input_shape):
        return keras.Sequential(
            [
                keras.Input(input_shape),
                keras.layers.AveragePooling2D(8),
                keras.layers.Flatten(),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(num_classes, name="predictions"),
            ],
            name=name,
        )

    monkeypatch.setattr(train, "create_model", with_dropout)
    trial = Trial("micro_resnet", **TINY)
    one_model, _, one_history = train.fit_trial(trial, folder=None)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(Interrupted):
            train.fit_trial(trial, folder=tmp_path)
    model, _, history = train.fit_trial(trial, folder=tmp_path)
    assert history == one_history
    for one, two in zip(model.weights, one_model.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


@pytest.mark.slow
def test_a_result_does_not_depend_on_what_the_process_ran_before(
    uninterrupted, tmp_path
):
    """The same bits here, after other trials and random numbers, and elsewhere."""
    np.random.seed(5)
    keras.random.normal((3,))
    trial = Trial("se_micro_resnet", **TINY)
    code = (
        "from medattn.study import Trial, run_trial\n"
        f"run_trial(Trial('se_micro_resnet', **{TINY!r}), {str(tmp_path)!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    name = trial_id(trial)
    fresh = (tmp_path / name / "weights.safetensors").read_bytes()
    assert fresh == (uninterrupted[0] / name / "weights.safetensors").read_bytes()


@pytest.mark.slow
def test_the_ids_of_the_training_images_are_saved(uninterrupted):
    import hashlib

    (path,) = uninterrupted[0].glob("*/ids.json")
    train_ids = json.loads(path.read_text())["train"]
    assert train_ids["ids"][:2] == ["shapes-train-000000", "shapes-train-000001"]
    assert len(set(train_ids["ids"])) == train_ids["images"] == 4000
    text = "\n".join(train_ids["ids"]).encode()
    assert train_ids["sha256"] == hashlib.sha256(text).hexdigest()


@pytest.mark.slow
def test_a_finished_trial_is_not_run_again(uninterrupted, monkeypatch):
    monkeypatch.setattr(trial_runner, "_train", None)  # a call would fail
    assert (
        run_trial(Trial("se_micro_resnet", **TINY), uninterrupted[0])
        == uninterrupted[1]
    )


@pytest.mark.slow
def test_a_diverging_trial_fails_with_its_reason(tmp_path):
    trial = Trial("micro_resnet", **(TINY | {"learning_rate": 1e30}))
    outcome = run_trial(trial, tmp_path)
    assert (outcome["state"], outcome["kind"]) == ("failed", "diverged")
    assert "smaller learning rate" in outcome["reason"]
    study = Study("x", "micro_resnet", "shapes", 1.0, budget=_budget(1e30))
    assert study.trials() == [trial]
    (tmp_path / "x").mkdir()
    (tmp_path / trial_id(trial)).rename(tmp_path / "x" / trial_id(trial))
    assert study_status(study, tmp_path)["failures"] == {
        trial_id(trial): outcome["reason"]
    }


def _budget(rate):
    budget = {k: v for k, v in TINY.items() if k != "dataset"}
    return budget | {"learning_rate": rate}


@pytest.mark.slow
def test_a_full_disk_ends_the_trial_and_the_next_call_continues(
    uninterrupted, tmp_path, monkeypatch
):
    """The fifth write fails, as a write to /dev/full does."""
    from medattn.study import files

    sync, left = os.fsync, [5]

    def full(number):
        left[0] -= 1
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(number)

    trial = Trial("se_micro_resnet", **TINY)
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            run_trial(trial, tmp_path)
    folder = tmp_path / trial_id(trial)
    assert not list(folder.glob(".*.part"))
    assert not (folder / "failed.json").exists()
    assert run_trial(trial, tmp_path) == uninterrupted[1]
    assert contents(tmp_path) == contents(uninterrupted[0])


RUN = """
import sys
from medattn.study import Study, run_study
study = Study("s", "micro_resnet", "shapes", 1.0, seeds=(0, 1),
              budget=dict(size=32, steps=120, rounds=12, batch_size=16))
run_study(study, sys.argv[1], workers=2, retries=1000, progress=False)
"""


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def descendants(pid):
    """Lists the processes below one, from /proc: servers first, then trials."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(stat[1]), []).append(int(entry.name))
    servers = parents.get(pid, [])
    return servers, [child for server in servers for child in parents.get(server, [])]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_study_killed_at_ten_random_moments_ends_like_one_never_killed(tmp_path):
    """Trials, their server and the scheduler are killed; the latter is restarted."""
    undisturbed = start(tmp_path / "undisturbed")
    rng = random.Random(20)
    scheduler, kills, killed = start(tmp_path / "killed"), 0, set()
    deadline = time.monotonic() + 500
    plan = ["trial"] * 7 + ["server"] * 1 + ["scheduler"] * 2
    rng.shuffle(plan)
    while plan and time.monotonic() < deadline:
        assert scheduler.poll() is None, (
            "the study ended before it was killed ten times"
        )
        servers, trials = descendants(scheduler.pid)
        if not trials:
            time.sleep(0.05)
            continue
        time.sleep(rng.uniform(0, 3))
        servers, trials = descendants(scheduler.pid)
        kind = plan[-1]
        targets = {"trial": trials, "server": servers, "scheduler": [scheduler.pid]}[
            kind
        ]
        if not targets:
            continue
        os.kill(rng.choice(targets), signal.SIGKILL)
        plan.pop()
        kills, killed = kills + 1, killed | {kind}
        if kind == "scheduler":
            scheduler.wait()
            scheduler = start(tmp_path / "killed")
    assert kills == 10 and killed == {"trial", "server", "scheduler"}
    assert scheduler.wait(timeout=300) == 0 and undisturbed.wait(timeout=300) == 0
    expected = contents(tmp_path / "undisturbed/s")
    assert len(expected) == 2 * 6
    assert contents(tmp_path / "killed/s") == expected
    left = [p.name for p in (tmp_path / "killed/s").rglob("*.part")]
    assert left == [] or all(name.startswith(".lease") for name in left)


@pytest.mark.slow
def test_two_schedulers_of_one_study_share_its_trials(tmp_path):
    """Both are started at once in one folder: each trial is trained by one of them."""
    schedulers = [start(tmp_path), start(tmp_path)]
    assert [one.wait(timeout=500) for one in schedulers] == [0, 0]
    folders = [p for p in (tmp_path / "s").iterdir() if p.is_dir()]
    assert len(folders) == 2
    for folder in folders:
        assert json.loads((folder / "done.json").read_text())["state"] == "done"
        # Every process that trains writes logs of its own.
        logs = (folder / "tensorboard" / "train").glob("events.out.tfevents.*")
        assert len({log.name.split(".")[5] for log in logs}) == 1
