"""What happens after each round of training: validation, history, checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np

from medattn.study.analyse.metrics import probabilities
from medattn.study.analyse.scores import auroc
from medattn.study.files import load_checkpoint, save_checkpoint
from medattn.study.plan.trial import Trial

SEED_STATE = "seed_generator_state"  # how Keras names the state of a SeedGenerator

History: TypeAlias = list[dict[str, Any]]


class Diverged(ValueError):
    """The loss is not finite any more: a fault of the trial, which no retry mends."""


class Rounds(keras.callbacks.Callback):
    """Validates, keeps the history, and saves a checkpoint after every round.

    An epoch of Keras is a round of the trial.

    Args:
        trial: A `Trial`.
        model: The model to validate, on one device; `set_model` takes the trained one.
        validation: The validation split.
        folder: Where checkpoints lie; None keeps none.
        on_round: Called with the history after each round.

    Attributes:
        history: One dict a round.
        step: Steps taken so far.
    """

    def __init__(
        self,
        trial: Trial,
        model: keras.Model,
        validation: Any,
        folder: str | Path | None,
        on_round: Callable[[History], Any] | None,
    ) -> None:
        super().__init__()
        self.trial, self.folder, self.on_round = trial, folder, on_round
        self.validated = model
        self.images, self.labels = validation.arrays()[:2]
        self.history: History = []
        self.best: dict[str, np.ndarray] = {}
        self.step = 0

    def resume(self) -> None:
        """Continues from the last good checkpoint, if there is one."""
        found = load_checkpoint(self.folder) if self.folder else None
        if found is None:
            return
        arrays, progress = found
        for name, variable in self._variables().items():
            variable.assign(arrays[name])
        self.best = {
            name.removeprefix("best/"): array
            for name, array in arrays.items()
            if name.startswith("best/")
        }
        self.history, self.step = progress["history"], progress["step"]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Seeds every random layer, so that a round does not depend on those before."""
        rng = np.random.default_rng([self.trial.seed, epoch])
        for variable in self.model.variables:
            if SEED_STATE in variable.path:
                variable.assign(rng.integers(0, 2**31, variable.shape))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Validates and saves.

        Raises:
            Diverged: If the loss is not finite.
        """
        assert logs is not None
        if not np.isfinite(logs["loss"]):
            raise Diverged(
                "The training diverged. Expected a finite loss; a smaller learning "
                f"rate may help. Received: loss={logs['loss']} in round {epoch + 1} "
                f"at learning_rate={self.trial.learning_rate}"
            )
        logs |= self._validate()
        self.step = int(self.model.optimizer.iterations.numpy())
        self.history.append(
            {"step": self.step} | {name: float(value) for name, value in logs.items()}
        )
        minimum = min(line["val_loss"] for line in self.history)
        if self.trial.selection == "best" and logs["val_loss"] == minimum:
            self.best = {w.path: np.array(w.numpy()) for w in self.model.weights}
        if self.folder:
            arrays = {k: np.asarray(v.numpy()) for k, v in self._variables().items()}
            arrays |= {f"best/{name}": array for name, array in self.best.items()}
            progress = {"step": self.step, "history": self.history}
            save_checkpoint(self.folder, arrays, progress)
        if self.on_round:
            self.on_round(self.history)

    def load_selected(self) -> None:
        """Gives the model the weights of the best round, if the trial selects them."""
        for weight in self.model.weights:
            if weight.path in self.best:
                weight.assign(self.best[weight.path])

    def _validate(self) -> dict[str, float]:
        predicted = probabilities(self.validated, self.images)
        of_label = predicted[np.arange(len(predicted)), self.labels]
        scores = {
            "val_loss": float(-np.log(np.maximum(of_label, 1e-12)).mean()),
            "val_accuracy": float(np.mean(predicted.argmax(-1) == self.labels)),
        }
        if predicted.shape[1] == 2:
            scores["val_auroc"] = auroc(self.labels == 1, predicted[:, 1])
        return scores

    def _variables(self) -> dict[str, Any]:
        """Names all that a step changes: the weights and the optimiser's variables."""
        weights = {f"model/{w.path}": w for w in self.model.weights}
        optimizer = enumerate(self.model.optimizer.variables)
        return weights | {f"optimizer/{number}": v for number, v in optimizer}
