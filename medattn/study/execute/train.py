"""Training that can be interrupted at any moment and still ends with the same bits."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from medattn.models import create_model
from medattn.study.analyse.metrics import evaluate
from medattn.study.execute import devices
from medattn.study.execute.rounds import History, Rounds
from medattn.study.execute.splits import Splits, ids_sha256, load_splits
from medattn.study.execute.start import load_start
from medattn.study.plan.trial import Trial


def train_trial(
    trial: Trial, *, root: str | None = None, verbose: int = 1
) -> tuple[keras.Model, dict[str, Any]]:
    """Trains one model and measures it on the test set.

    Args:
        trial: A `Trial`.
        root: Folder of a data set that is not synthetic.
        verbose: As in `keras.Model.fit`: 0 silent, 1 a progress bar.

    Returns:
        The trained `keras.Model`, its weights rounded to float16 as they are shipped,
        and a dict of what was measured.

    Raises:
        ValueError: If a name of the trial is unknown, the regime leaves too few images,
            or training diverged.
    """
    start = time.perf_counter()
    model, splits, _ = fit_trial(trial, root=root, verbose=verbose)
    seconds = time.perf_counter() - start
    images, labels, masks = splits["test"].arrays()
    train = splits["train"]
    return model, {
        "train_images": len(train),
        "train_positives": int((train.labels == 1).sum()),
        "train_ids_sha256": ids_sha256(train.ids),
        "epochs": step_count(trial, len(train)) * trial.batch_size / len(train),
        "seconds": round(seconds, 1),
        "precision": keras.config.dtype_policy().name,
        "test_images": len(labels),
        "test": evaluate(model, images, labels, masks),
    }


def fit_trial(
    trial: Trial,
    *,
    folder: str | Path | None = None,
    trunk: keras.Model | str | Path | None = None,
    root: str | None = None,
    on_round: Callable[[History], Any] | None = None,
    verbose: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[keras.Model, Splits, History]:
    """Trains one model, from the last good checkpoint if there is one.

    What is random follows from the seed and the number of the step alone: the batches
    from the seed and their position in the stream, and every random layer is seeded
    again at the start of each round. So interruptions do not change the result.

    Args:
        trial: A `Trial`.
        folder: Where checkpoints lie; None keeps none.
        trunk: The weights that `initialisation` names: a `keras.Model` of the
            pretraining trial, or the path of a file for `"imagenet"`.
        root: Folder of a data set that is not synthetic.
        on_round: Called with the history after each round; what it raises ends the
            training.
        verbose: As in `keras.Model.fit`.
        callbacks: Further Keras callbacks.

    Returns:
        The model, its weights rounded to float16; the splits by name; and the history,
        a list with one dict a round.

    Raises:
        Diverged: If the loss is not finite.
    """
    splits = load_splits(trial, root=root)
    train = splits["train"]
    keras.utils.set_random_seed(trial.seed)
    steps, gpus = step_count(trial, len(train)), devices.find_gpus()
    model = _compiled_model(trial, len(train.card.classes), trunk, steps, gpus)
    single = devices.on_one_device(model, gpus)
    rounds = Rounds(trial, single, splits["validation"], folder, on_round)
    rounds.set_model(model)
    rounds.resume()
    _fit_rounds(model, trial, train, steps, gpus, rounds, callbacks, verbose)
    rounds.load_selected()
    for weight in model.weights:
        weight.assign(np.asarray(weight.numpy(), np.float16).astype(np.float32))
    return single, splits, rounds.history


def step_count(trial: Trial, train_images: int) -> int:
    """Counts the steps of a trial on so many training images."""
    if not trial.epochs:
        return trial.steps
    return trial.epochs * max(1, -(-train_images // trial.batch_size))


def _compiled_model(
    trial: Trial,
    num_classes: int,
    trunk: keras.Model | str | Path | None,
    steps: int,
    gpus: Sequence[str],
) -> keras.Model:
    """Builds the model of a trial with its initial weights and its optimiser."""
    with devices.training_scope(gpus):
        model = create_model(
            trial.model,
            num_classes=num_classes,
            input_shape=(trial.size, trial.size, 3),
        )
        load_start(model, trial, trunk)
        model.compile(
            _optimizer(trial, steps),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=devices.uses_xla(gpus),
        )
        model.optimizer.build(model.trainable_variables)
    return model


def _fit_rounds(
    model: keras.Model,
    trial: Trial,
    train: Any,
    steps: int,
    gpus: Sequence[str],
    rounds: Rounds,
    callbacks: Sequence[keras.callbacks.Callback],
    verbose: int,
) -> None:
    """Fits the model for the rounds that are left.

    All rounds have one length but the last, which takes the remaining steps.
    """
    count = min(trial.rounds, steps)
    length = steps // count
    last_length = steps - length * (count - 1)
    weights = _class_weights(train.labels) if trial.class_weights else None
    # Keras spreads class weights, and a mirrored model its parts of a batch, over the
    # stream, and neither works with batches that lie on an accelerator already.
    device = gpus[0] if len(gpus) == 1 and not trial.class_weights else None
    for first, until, each in (
        (0, count - 1, length),
        (count - 1, count, last_length),
    ):
        begin = max(first, len(rounds.history))
        if begin < until:
            # A new stream: a second pass over one tf.data shuffle has another order.
            stream = train.batches(
                trial.batch_size,
                training=True,
                seed=trial.seed,
                start=rounds.step,
                device=device,
            )
            model.fit(
                stream,
                initial_epoch=begin,
                epochs=until,
                steps_per_epoch=each,
                shuffle=False,  # the pipeline shuffles
                class_weight=weights,
                callbacks=[rounds, *callbacks],
                verbose=verbose,
            )


def _optimizer(trial: Trial, steps: int) -> keras.optimizers.Optimizer:
    rate = trial.learning_rate
    if trial.schedule == "cosine":
        warmup = max(1, steps // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warmup), warmup_target=rate, warmup_steps=warmup
        )
    if trial.optimizer == "adam":
        return keras.optimizers.Adam(rate)
    return keras.optimizers.AdamW(rate, weight_decay=trial.weight_decay)


def _class_weights(labels: np.ndarray) -> dict[int, float]:
    """Weighs classes so that each contributes equally to the loss."""
    names, counts = np.unique(labels, return_counts=True)
    weights = len(labels) / (len(names) * counts)
    return {
        int(name): float(weight) for name, weight in zip(names, weights, strict=True)
    }
