"""Loggers of a training."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from medattn.study import Trial, trial_id
from medattn.study.execute.trackers import mlflow_callbacks


def test_mlflow_logs_one_run_a_trial_and_its_absence_is_an_import_error(monkeypatch):
    """A fake MLflow, which is optional, lists the calls that it gets."""
    calls = []

    class Run:
        def __enter__(self):
            calls.append("started")

        def __exit__(self, *_):
            calls.append("ended")

    fake = SimpleNamespace(
        start_run=lambda run_name: calls.append(run_name) or Run(),
        log_params=lambda options: calls.append(options["model"]),
        log_metrics=lambda logs, step: calls.append((step, logs)),
    )
    trial = Trial("micro_resnet", "shapes")
    with mlflow_callbacks(trial) as trackers:
        assert trackers == []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:nowhere")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ImportError, match="pip install mlflow"):
        with mlflow_callbacks(trial):
            pass
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    with mlflow_callbacks(trial) as (tracker,):
        for epoch in range(2):
            tracker.on_epoch_end(epoch, {"loss": np.float32(0.5)})
    steps = [(0, {"loss": 0.5}), (1, {"loss": 0.5})]
    assert calls == [trial_id(trial), "started", "micro_resnet", *steps, "ended"]
