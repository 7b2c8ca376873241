"""The progress bar of a study."""

import json
import sys

from medattn.study import read_study, trial_id
from medattn.study.execute.progress_bar import ProgressBar
from medattn.study.plan.study import change_study


def test_the_bar_shows_trials_time_left_and_auroc(tmp_path, monkeypatch, capsys):
    study = change_study(read_study("micro"), models=("micro_deit",), seeds=(0,))
    trials = {trial_id(t): t for t in study.trials()}
    first, second, *_ = trials
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bar = ProgressBar(tmp_path, trials, trials, enabled=True)
    bar.start -= 100
    bar.ended(first, {"outcome": {"state": "done", "test": {"auroc": 0.9}}})
    (tmp_path / second).mkdir()
    line = json.dumps({"step": 100, "val_auroc": 0.8125})
    (tmp_path / second / "history.jsonl").write_text(line + "\n")
    bar.draw()
    printed = capsys.readouterr().err
    # 400 of 12 x 300 steps in 100 s: 3,200 are left, 800 s.
    assert "1/12 trials, 13 min 20 s left, AUROC now 0.812" in printed
