"""The study from the command line: planned, stopped, resumed, reported."""

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
from medattn.study import PRESETS, study_status, trial_id
from medattn.study.execute import scheduler as run
from medattn.study.plan.study import change_study, read_study

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


def test_a_plan_lists_the_trials_and_says_how_long(monkeypatch, capsys, tmp_path):
    options = ("study", "plan", "micro", "--folder", tmp_path, "--workers", "2")
    code, out, _ = command(monkeypatch, capsys, *options)
    assert code == 0
    assert "   24 x cbam_micro_resnet    dermoscopy, random start" in out
    assert "504 trials: 7 networks, 3 data sets, regimes 1%, 10%, 50%, 100%" in out
    assert "about 1 h 5" in out and "2 trials at once" in out
    trial = PRESETS["micro"].trials()[0]
    place = tmp_path / "micro" / trial_id(trial)
    place.mkdir(parents=True)
    (place / "failed.json").write_text(json.dumps({"state": "failed", "reason": "x"}))
    _, out, _ = command(monkeypatch, capsys, *options)
    assert f"1 of them have ended in {tmp_path / 'micro'}" in out


def test_the_estimate_grows_with_steps_pixels_and_maps_and_knows_its_bounds():
    short = change_study(PRESETS["micro"], seeds=(0,)).trials()
    longer = change_study(
        PRESETS["micro"], seeds=(0,), budget={"steps": 600, "size": 128}
    ).trials()
    one, two = (run.estimate_seconds(t, workers=2) for t in (short, longer))
    steps = sum(300 * run.SECONDS_A_STEP[t.model] for t in short) / 2
    assert two - one == pytest.approx(steps * (2 * 4 - 1))
    none = run.estimate_seconds(short, analyzers=0, workers=2)
    assert one - none == pytest.approx(len(short) * run.SECONDS_A_MAP / 2)
    assert run.estimate_seconds(PRESETS["micro"].trials(), workers=2) <= 3 * 3600
    assert run.estimate_seconds(PRESETS["paper"].trials()) is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "mikro"], "Did you mean micro"),
        (["plan", "micro", "--models", "micro_resnte"], "Did you mean micro_resnet"),
        (["run", "micro", "--datasets", "fundsu"], "Did you mean fundus"),
        (["run", "micro", "--engine", "rey"], "Did you mean ray"),
        (["run", "micro", "--steps", "0"], "steps > 0"),
        (["plan", "none.toml"], "There is no study file"),
    ],
)
def test_a_slip_is_one_sentence_and_exit_code_2(
    monkeypatch, capsys, tmp_path, arguments, said
):
    code, _, err = command(
        monkeypatch, capsys, "study", *arguments, "--folder", tmp_path
    )
    assert code == 2 and said in err and "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_the_bar_tells_trials_time_left_and_auroc(tmp_path, monkeypatch, capsys):
    study = change_study(read_study("micro"), models=("micro_deit",), seeds=(0,))
    trials = {trial_id(t): t for t in study.trials()}
    first, second, *_ = trials
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bar = run._Bar(tmp_path, trials, trials, enabled=True)
    bar.start -= 100
    bar.ended(first, {"outcome": {"state": "done", "test": {"auroc": 0.9}}})
    (tmp_path / second).mkdir()
    line = json.dumps({"step": 100, "val_auroc": 0.8125})
    (tmp_path / second / "history.jsonl").write_text(line + "\n")
    bar.draw()
    said = capsys.readouterr().err
    # 400 of 12 x 300 steps in 100 s: 3,200 are left, 800 s.
    assert "1/12 trials, 13 min 20 s left, AUROC now 0.812" in said


def test_the_shipped_report_is_written_as_page_and_markdown(
    monkeypatch, capsys, tmp_path
):
    code, out, err = command(monkeypatch, capsys, "report", "-o", tmp_path / "r.html")
    assert code == 0, err
    assert out.splitlines() == [f"Wrote {tmp_path / n}" for n in ("r.html", "r.md")]
    said = (tmp_path / "r.md").read_text()
    assert "## As published" in said and "## What attention costs" in said
    assert "| resnet50 | 23,512,130 | 23,512,130 | 0 |" in said
    assert "## Ours: micro" in said and "### Calibration" in said


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_stops_cleanly_and_prints_the_line_that_resumes(tmp_path):
    path = tmp_path / "my small.toml"  # a space, so that the line must be quoted
    path.write_text(SMALL)
    asked = ["study", "run", str(path), "--folder", str(tmp_path), "--workers", "1"]
    runner = subprocess.Popen(
        [sys.executable, "-m", "medattn", *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that started us in the background would have us deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    study = read_study(path)
    (trial,) = study.trials()
    history = tmp_path / study.name / trial_id(trial) / "history.jsonl"
    deadline = time.monotonic() + 300
    while not history.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    runner.send_signal(signal.SIGINT)
    _, err = runner.communicate(timeout=100)
    assert runner.returncode == 130 and "Traceback" not in err
    assert "Stopped: 0 of 1 trials are done" in err
    status = study_status(study, tmp_path)
    assert status["stopped"] == 1 and status["running"] == 0  # nobody works on it
    before = len(history.read_text().splitlines())
    line = shlex.split(err.strip().splitlines()[-1])
    assert line == ["medattn", *asked]
    again = subprocess.run(
        [sys.executable, "-m", *line], capture_output=True, text=True, timeout=500
    )
    assert again.returncode == 0 and "1 trials: 1 done" in again.stdout
    assert before < 20 == len(history.read_text().splitlines())
    assert (
        asdict(trial)["steps"]
        == json.loads((history.parent / "done.json").read_text())["steps"]
    )
