"""Trials, training and metrics."""

from medattn.study.metrics import evaluate, probabilities
from medattn.study.train import Trial, save_trial, train_trial, trial_name

__all__ = [
    "Trial",
    "evaluate",
    "probabilities",
    "save_trial",
    "train_trial",
    "trial_name",
]
