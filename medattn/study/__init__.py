"""Trials, training, engines, metrics, statistics and the report.

Names load on first use, so that reading results needs no backend.
"""

import importlib

PUBLIC = {
    "CONTRASTS": "statistics",
    "PRESETS": "plan",
    "Study": "plan",
    "Trial": "trial",
    "brier_score": "calibration",
    "compare": "statistics",
    "compare_networks": "pairs",
    "contrast_table": "statistics",
    "evaluate": "metrics",
    "gather_results": "results",
    "probabilities": "metrics",
    "promote_chances": "chances",
    "promote_trials": "promote",
    "read_chances": "chances",
    "read_results": "results",
    "read_study": "plan",
    "reliability": "calibration",
    "report_fragment": "fragment",
    "run_study": "run",
    "run_trial": "runner",
    "save_trial": "train",
    "score_predictions": "scores",
    "study_status": "run",
    "train_trial": "train",
    "trial_id": "trial",
    "trial_name": "trial",
    "write_report": "report",
}

__all__ = list(PUBLIC)


def __getattr__(name):
    if name in PUBLIC:
        return getattr(importlib.import_module(f"medattn.study.{PUBLIC[name]}"), name)
    raise AttributeError(f"module 'medattn.study' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
