"""Trials, training, engines, metrics, statistics and the report.

Names load on first use, so that reading results imports no backend.
"""

import importlib
from typing import Any

PUBLIC = {
    "Comparison": "analyse.statistics",
    "CONTRASTS": "analyse.contrasts",
    "PRESETS": "plan.presets",
    "Study": "plan.study",
    "Trial": "plan.trial",
    "brier_score": "analyse.calibration",
    "check_claim": "analyse.claims",
    "check_claims": "analyse.claims",
    "claim_sentence": "analyse.claims",
    "compare": "analyse.statistics",
    "compare_networks": "analyse.pairs",
    "contrast_table": "analyse.contrasts",
    "evaluate": "analyse.metrics",
    "gather_results": "analyse.results",
    "probabilities": "analyse.metrics",
    "promote_chances": "analyse.probabilities",
    "promote_trials": "report.promote",
    "read_claims": "analyse.claims",
    "read_chances": "analyse.probabilities",
    "read_results": "analyse.results",
    "read_study": "plan.read",
    "reliability": "analyse.calibration",
    "report_fragment": "report.fragment",
    "run_study": "execute.scheduler",
    "run_trial": "execute.trial_runner",
    "save_trial": "execute.record",
    "score_predictions": "analyse.scores",
    "study_status": "execute.scheduler",
    "train_trial": "execute.train",
    "trial_id": "plan.trial",
    "trial_name": "plan.trial",
    "write_report": "report.report",
}

__all__ = list(PUBLIC)


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(importlib.import_module(f"medattn.study.{PUBLIC[name]}"), name)
    raise AttributeError(f"module 'medattn.study' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
