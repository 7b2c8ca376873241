"""medattn study: what it prints, what it refuses, how it is stopped and resumed."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import pytest

from medattn.cli import main
from medattn.study import PRESETS, read_results, read_study, study_status, trial_id

SMALL = """
models = ["micro_deit"]
datasets = ["shapes"]
regimes = [1.0]
analyzers = []
[budget]
size = 32
steps = 120
rounds = 20
batch_size = 8
"""


def command(monkeypatch, capsys, *arguments):
    """Runs the command here; returns exit code, output, errors."""
    monkeypatch.setattr(sys, "argv", ["medattn", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_a_plan_lists_the_trials_and_estimates_their_time(
    monkeypatch, capsys, tmp_path
):
    options = ("study", "plan", "micro", "--folder", tmp_path, "--workers", "2")
    code, out, _ = command(monkeypatch, capsys, *options)
    assert code == 0
    assert "   24 x cbam_micro_resnet    dermoscopy, random start" in out
    assert "504 trials: 7 networks, 3 data sets, regimes 1%, 10%, 50%, 100%" in out
    assert "about 1 h 5" in out and "2 trials at once" in out
    trial = PRESETS["micro"].trials()[0]
    folder = tmp_path / "micro" / trial_id(trial)
    folder.mkdir(parents=True)
    (folder / "failed.json").write_text(json.dumps({"state": "failed", "reason": "x"}))
    _, out, _ = command(monkeypatch, capsys, *options)
    assert f"1 of them have ended in {tmp_path / 'micro'}" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "mikro"], "Did you mean micro"),
        (["plan", "micro", "--models", "micro_resnte"], "Did you mean micro_resnet"),
        (["run", "micro", "--datasets", "fundsu"], "Did you mean fundus"),
        (["run", "micro", "--engine", "rey"], "Did you mean ray"),
        (["run", "micro", "--steps", "0"], "steps > 0"),
        (["plan", "none.toml"], "There is no study file"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    monkeypatch, capsys, tmp_path, arguments, message
):
    code, _, err = command(
        monkeypatch, capsys, "study", *arguments, "--folder", tmp_path
    )
    assert code == 2 and message in err and "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "--engine", "ray"],
        ["plan", "--retry-failed"],
        ["gather", "micro", "--models", "micro_resnet"],
        ["promote", "micro", "--workers", "2"],
        ["run", "--output", "x.csv"],
    ],
)
def test_an_option_of_another_verb_is_refused(monkeypatch, capsys, tmp_path, arguments):
    monkeypatch.chdir(tmp_path)
    code, _, err = command(monkeypatch, capsys, "study", *arguments)
    assert code == 2 and "nrecognized" in err
    assert not list(tmp_path.iterdir())


def test_options_may_stand_before_the_study(monkeypatch, capsys, tmp_path):
    options = ("--folder", tmp_path, "--seeds", "0", "--steps", "40")
    code, out, _ = command(monkeypatch, capsys, "study", "status", *options)
    assert code == 0 and out == "84 trials: 84 waiting\n"
    code, out, _ = command(
        monkeypatch, capsys, "study", "status", "--folder", tmp_path, "pretraining"
    )
    trials = len(PRESETS["pretraining"].trials())
    assert code == 0 and out == f"{trials} trials: {trials} waiting\n"


def test_results_are_gathered_into_a_csv(monkeypatch, capsys, tmp_path):
    trial = PRESETS["micro"].trials()[0]
    folder = tmp_path / "micro" / trial_id(trial)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(asdict(trial)))
    (folder / "failed.json").write_text(json.dumps({"state": "failed", "reason": "x"}))
    code, out, _ = command(monkeypatch, capsys, "study", "gather", "--folder", tmp_path)
    assert code == 0 and out == f"1 trials in {tmp_path / 'micro.csv'}\n"
    (row,) = read_results(tmp_path / "micro.csv")
    assert (row["id"], row["reason"]) == (trial_id(trial), "x")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_stops_cleanly_and_prints_the_command_that_resumes(tmp_path):
    path = tmp_path / "my small.toml"  # a space, so that the line must be quoted
    path.write_text(SMALL)
    arguments = ["study", "run", str(path), "--folder", str(tmp_path), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "medattn", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell ignores Ctrl-C in processes that it starts in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    study = read_study(path)
    (trial,) = study.trials()
    history = tmp_path / study.name / trial_id(trial) / "history.jsonl"
    deadline = time.monotonic() + 300
    while not history.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 130 and "Traceback" not in err
    assert "Stopped: 0 of 1 trials are done" in err
    status = study_status(study, tmp_path)
    assert status["stopped"] == 1 and status["running"] == 0  # no process works on it
    before = len(history.read_text().splitlines())
    line = shlex.split(err.strip().splitlines()[-1])
    assert line == ["medattn", *arguments]
    again = subprocess.run(
        [sys.executable, "-m", *line], capture_output=True, text=True, timeout=500
    )
    assert again.returncode == 0 and "1 trials: 1 done" in again.stdout
    assert before < 20 == len(history.read_text().splitlines())
    assert (
        asdict(trial)["steps"]
        == json.loads((history.parent / "done.json").read_text())["steps"]
    )
