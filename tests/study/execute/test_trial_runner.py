"""Trials that survive: killed, resumed, leased, damaged, out of disk."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from medattn.study import Study, Trial, run_trial, study_status, trial_id
from medattn.study.execute import lease as leases
from medattn.study.execute import trial_runner as runner
from medattn.study.execute.lease import take_lease
from medattn.study.files import load_checkpoint, save_checkpoint, write_atomic

TINY = dict(dataset="shapes", size=32, steps=9, rounds=4, batch_size=16)
SAME = ("weights.safetensors", "predictions.npz", "history.jsonl", "ids.json")


def contents(folder):
    """Reads all of a folder that must be the same to the bit."""
    return {
        f"{place.name}/{name}": (place / name).read_bytes()
        for place in sorted(Path(folder).iterdir())
        if place.is_dir()
        for name in (*SAME, "done.json", "config.json")
        if (place / name).exists()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A tiny trial that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    outcome = run_trial(Trial("se_micro_resnet", **TINY), folder)
    return folder, outcome


class Cut(Exception):
    """Stands for a kill."""


def cut_after(monkeypatch, rounds):
    """Ends the training when a number of rounds has been saved."""
    from medattn.study.execute import train

    save, left = train.save_checkpoint, [rounds]

    def saving(*args):
        save(*args)
        left[0] -= 1
        if not left[0]:
            raise Cut

    monkeypatch.setattr(train, "save_checkpoint", saving)


@pytest.mark.slow
def test_a_trial_cut_off_twice_ends_with_the_same_bits(whole, tmp_path, monkeypatch):
    trial = Trial("se_micro_resnet", **TINY)
    for rounds in (1, 2):
        with monkeypatch.context() as patch:
            cut_after(patch, rounds)
            with pytest.raises(Cut):
                run_trial(trial, tmp_path)
    assert run_trial(trial, tmp_path) == whole[1]
    assert contents(tmp_path) == contents(whole[0])


@pytest.mark.slow
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_taken(
    whole, tmp_path, monkeypatch, capsys
):
    trial = Trial("se_micro_resnet", **TINY)
    with monkeypatch.context() as patch:
        cut_after(patch, 3)
        with pytest.raises(Cut):
            run_trial(trial, tmp_path)
    newest = max((tmp_path / trial_id(trial)).glob("checkpoint-*.bin"))
    newest.write_bytes(newest.read_bytes()[:-7])
    run_trial(trial, tmp_path)
    assert "is damaged" in capsys.readouterr().out
    assert contents(tmp_path) == contents(whole[0])


@pytest.mark.slow
def test_random_layers_are_the_same_after_a_cut(tmp_path, monkeypatch):
    """A network with dropout, whose chance Keras keeps in a state of its own."""
    from medattn.study.execute import train

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
    whole_model, _, whole_history = train.fit_trial(trial, folder=None)
    with monkeypatch.context() as patch:
        cut_after(patch, 2)
        with pytest.raises(Cut):
            train.fit_trial(trial, folder=tmp_path)
    model, _, history = train.fit_trial(trial, folder=tmp_path)
    assert history == whole_history
    for one, two in zip(model.weights, whole_model.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


@pytest.mark.slow
def test_what_ran_before_in_the_process_does_not_matter(whole, tmp_path):
    """`whole` ran here, and other things since; a fresh process says the same."""
    np.random.seed(5)
    keras.random.normal((3,))
    trial = Trial("se_micro_resnet", **TINY)
    code = (
        "from medattn.study import Trial, run_trial\n"
        f"run_trial(Trial('se_micro_resnet', **{TINY!r}), {str(tmp_path)!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    place = trial_id(trial)
    fresh = (tmp_path / place / "weights.safetensors").read_bytes()
    assert fresh == (whole[0] / place / "weights.safetensors").read_bytes()


@pytest.mark.slow
def test_the_images_that_a_trial_saw_are_saved_with_it(whole):
    import hashlib

    (path,) = whole[0].glob("*/ids.json")
    seen = json.loads(path.read_text())["train"]
    assert seen["ids"][:2] == ["shapes-train-000000", "shapes-train-000001"]
    assert len(set(seen["ids"])) == seen["images"] == 4000
    text = "\n".join(seen["ids"]).encode()
    assert seen["sha256"] == hashlib.sha256(text).hexdigest()


@pytest.mark.slow
def test_a_finished_trial_is_not_run_again(whole, monkeypatch):
    monkeypatch.setattr(runner, "_train", None)  # a call would fail
    assert run_trial(Trial("se_micro_resnet", **TINY), whole[0]) == whole[1]


@pytest.mark.slow
def test_a_diverging_trial_is_marked_with_its_reason(tmp_path):
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
def test_a_full_disk_ends_the_trial_and_the_next_call_goes_on(
    whole, tmp_path, monkeypatch
):
    """The fifth write finds no room, as a write to /dev/full does."""
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
    place = tmp_path / trial_id(trial)
    assert not list(place.glob(".*.part")) and not (place / "failed.json").exists()
    assert run_trial(trial, tmp_path) == whole[1]
    assert contents(tmp_path) == contents(whole[0])


def test_mlflow_gets_one_run_a_trial_and_its_absence_marks_no_trial(monkeypatch):
    """Stands in for MLflow, which is optional, by writing down what it is told."""
    told = []

    class Run:
        def __enter__(self):
            told.append("begun")

        def __exit__(self, *_):
            told.append("ended")

    fake = SimpleNamespace(
        start_run=lambda run_name: told.append(run_name) or Run(),
        log_params=lambda options: told.append(options["model"]),
        log_metrics=lambda logs, step: told.append((step, logs)),
    )
    trial = Trial("micro_resnet", **TINY)
    with runner._mlflow(trial) as trackers:
        assert trackers == []  # nobody asked for it
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:nowhere")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ImportError, match="pip install mlflow"):
        with runner._mlflow(trial):
            pass
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    with runner._mlflow(trial) as (tracker,):
        for epoch in range(2):
            tracker.on_epoch_end(epoch, {"loss": np.float32(0.5)})
    steps = [(0, {"loss": 0.5}), (1, {"loss": 0.5})]
    assert told == [trial_id(trial), "begun", "micro_resnet", *steps, "ended"]


def test_a_file_is_whole_or_the_old_one(tmp_path):
    path = tmp_path / "x"
    write_atomic(path, "old")
    if Path("/dev/full").exists():
        os.symlink("/dev/full", tmp_path / f".x.{os.getpid()}.part")
        with pytest.raises(OSError, match="No space left"):
            write_atomic(path, "new" * 10_000)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_checkpoints_give_back_their_bits_and_keep_two(tmp_path):
    arrays = {"a": np.float32([1.5, np.pi]), "n": np.int64(7)}
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, arrays, {"step": step, "history": [0.1]})
    assert len(list(tmp_path.iterdir())) == 2
    found, progress = load_checkpoint(tmp_path)
    assert progress == {"step": 3, "history": [0.1]}
    np.testing.assert_array_equal(found["a"], arrays["a"])
    assert found["n"] == 7 and found["n"].dtype == np.int64


def test_two_runners_never_hold_one_trial(tmp_path):
    held, barrier = [], threading.Barrier(8)

    def grab():
        barrier.wait()
        held.append(take_lease(tmp_path))

    threads = [threading.Thread(target=grab) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [lease for lease in held if lease]
    assert len(won) == 1
    won[0].release()
    after = take_lease(tmp_path)
    assert after is not None and take_lease(tmp_path) is None
    after.release()


def test_the_lease_of_a_dead_process_is_free_at_once(tmp_path):
    code = (
        "import os, signal\nfrom medattn.study.execute.lease import take_lease\n"
        f"assert take_lease({str(tmp_path)!r})\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    dead = subprocess.run([sys.executable, "-c", code])
    assert dead.returncode == -signal.SIGKILL
    lease = take_lease(tmp_path)
    assert lease is not None
    lease.release()


def test_the_lease_of_another_machine_expires_and_its_holder_notices(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(leases, "BEAT", 1000)
    first = take_lease(tmp_path)
    elsewhere = json.loads(first.path.read_text()) | {"host": "elsewhere"}
    first.path.write_text(json.dumps(elsewhere))
    assert take_lease(tmp_path) is None
    old = time.time() - leases.EXPIRY - 5
    os.utime(first.path, (old, old))
    second = take_lease(tmp_path)
    assert second is not None
    with pytest.raises(leases.LeaseLost):
        first.check()
    second.check()
    first.release()
    second.check()  # the loser's release takes nothing away
    second.release()


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
def test_a_study_killed_at_ten_random_moments_ends_as_one_never_killed(tmp_path):
    """Trials, their server and the runner are shot, and the runner is started again."""
    calm = start(tmp_path / "calm")
    chance = random.Random(20)
    runner, kills, hit = start(tmp_path / "shot"), 0, set()
    deadline = time.monotonic() + 500
    plan = ["trial"] * 7 + ["server"] * 1 + ["runner"] * 2
    chance.shuffle(plan)
    while plan and time.monotonic() < deadline:
        assert runner.poll() is None, "the study ended before it was shot ten times"
        servers, trials = descendants(runner.pid)
        if not trials:
            time.sleep(0.05)
            continue
        time.sleep(chance.uniform(0, 3))
        servers, trials = descendants(runner.pid)
        kind = plan[-1]
        targets = {"trial": trials, "server": servers, "runner": [runner.pid]}[kind]
        if not targets:
            continue
        os.kill(chance.choice(targets), signal.SIGKILL)
        plan.pop()
        kills, hit = kills + 1, hit | {kind}
        if kind == "runner":
            runner.wait()
            runner = start(tmp_path / "shot")
    assert kills == 10 and hit == {"trial", "server", "runner"}
    assert runner.wait(timeout=300) == 0 and calm.wait(timeout=300) == 0
    shot, unshot = contents(tmp_path / "shot/s"), contents(tmp_path / "calm/s")
    assert len(unshot) == 2 * 6
    assert shot == unshot
    left = [p.name for p in (tmp_path / "shot/s").rglob("*.part")]
    assert left == [] or all(name.startswith(".lease") for name in left)


@pytest.mark.slow
def test_two_runners_of_one_study_share_its_trials(tmp_path):
    """Both are started at once in one folder: each trial is trained by one of them."""
    runners = [start(tmp_path), start(tmp_path)]
    assert [runner.wait(timeout=500) for runner in runners] == [0, 0]
    places = [p for p in (tmp_path / "s").iterdir() if p.is_dir()]
    assert len(places) == 2
    for place in places:
        assert json.loads((place / "done.json").read_text())["state"] == "done"
        # Every process that trains writes logs of its own.
        logs = (place / "tensorboard" / "train").glob("events.out.tfevents.*")
        assert len({log.name.split(".")[5] for log in logs}) == 1
