"""Loggers of a training: TensorBoard always, MLflow if the environment names one."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import keras

from medattn.study.plan.trial import Trial, trial_id


class TensorBoard(keras.callbacks.TensorBoard):
    """Writes what Keras's own callback writes after an epoch, and no more.

    Keras's own also makes two summaries for every batch, for which it has no writer.
    """

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Counts the batch without making its summaries."""
        super().on_train_batch_end(batch, None)


@contextlib.contextmanager
def mlflow_callbacks(trial: Trial) -> Iterator[list[keras.callbacks.Callback]]:
    """Logs to MLflow if the environment names a server: one run a trial.

    Args:
        trial: A `Trial`.

    Yields:
        The callbacks of the training; none without a server.

    Raises:
        ImportError: If MLflow is not installed. That is no fault of the trial, so the
            trial does not count as failed.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        yield []
        return
    try:
        import mlflow
    except ImportError:
        raise ImportError(
            "MLflow is not installed. Expected `pip install mlflow`, or no variable "
            "MLFLOW_TRACKING_URI. Received: MLFLOW_TRACKING_URI="
            f"{os.environ['MLFLOW_TRACKING_URI']}"
        ) from None

    def log(epoch: int, logs: dict[str, Any]) -> None:
        mlflow.log_metrics({key: float(value) for key, value in logs.items()}, epoch)

    with mlflow.start_run(run_name=trial_id(trial)):
        mlflow.log_params(asdict(trial))
        yield [keras.callbacks.LambdaCallback(on_epoch_end=log)]
