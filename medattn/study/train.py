"""One trial: a model, a data set, a regime and a seed, trained and measured."""

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from medattn.data import find_card, load_dataset
from medattn.models import create_model, save_weights
from medattn.study.metrics import evaluate

ROUNDS = 10  # lines of the progress bar; the validation loss is printed after each


@dataclass(frozen=True)
class Trial:
    """Everything that decides a training run.

    Every regime gets the same number of steps, so that less data does not also mean
    less training. The last weights are taken: no label of the validation set chooses.

    Attributes:
        model: A name of `medattn.models.list_models()`.
        dataset: A name of `medattn.data.list_datasets()`.
        regime: Share of the training data, in (0, 1].
        seed: Decides subset, starting weights, order and augmentation.
        steps: Optimiser steps.
        batch_size: Images a step.
        learning_rate: Peak of AdamW's rate, after a tenth of the steps; then it falls
            to zero along a cosine.
        size: Height and width of the images in pixels.
    """

    model: str
    dataset: str = "fundus"
    regime: float = 1.0
    seed: int = 0
    steps: int = 500
    batch_size: int = 32
    learning_rate: float = 6e-3
    size: int = 64

    def __post_init__(self):
        for name in ("steps", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"A trial needs something to do. Expected {name} > 0. "
                    f"Received: {name}={getattr(self, name)}"
                )


def train_trial(trial, *, verbose=1):
    """Trains one model and measures it on the test set.

    Args:
        trial: A `Trial`.
        verbose: As in `keras.Model.fit`: 0 silent, 1 a progress bar.

    Returns:
        The trained `keras.Model`, its weights rounded to float16 as they are shipped,
        and a dict of what was measured.

    Raises:
        ValueError: If a name of the trial is unknown, the regime leaves too little, or
            training diverged.
    """
    keras.utils.set_random_seed(trial.seed)
    model = create_model(
        trial.model,
        num_classes=len(find_card(trial.dataset).classes),
        input_shape=(trial.size, trial.size, 3),
    )
    parts = {
        split: load_dataset(
            trial.dataset,
            split=split,
            regime=trial.regime,
            seed=trial.seed,
            size=trial.size,
        )
        for split in ("train", "validation", "test")
    }
    warmup = max(1, trial.steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, trial.steps - warmup),
        warmup_target=trial.learning_rate,
        warmup_steps=warmup,
    )
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-4),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        # Small convolution nets train at half the speed under XLA on a CPU; on an
        # accelerator Keras decides.
        jit_compile="auto" if _has_accelerator() else False,
    )
    start = time.perf_counter()
    rounds = min(ROUNDS, trial.steps)
    history = model.fit(
        parts["train"].batches(trial.batch_size, training=True, seed=trial.seed),
        epochs=rounds,
        steps_per_epoch=trial.steps // rounds,
        validation_data=parts["validation"].batches(250),
        shuffle=False,  # the pipeline shuffles
        verbose=verbose,
    ).history
    seconds = time.perf_counter() - start
    if not np.isfinite(history["loss"]).all():
        raise ValueError(
            "The training diverged. Expected a finite loss; a smaller learning rate "
            f"may help. Received: loss={history['loss'][-1]} at learning_rate="
            f"{trial.learning_rate}"
        )
    for weight in model.weights:
        weight.assign(np.asarray(weight.numpy(), np.float16).astype(np.float32))
    images, labels, masks = parts["test"].arrays()
    train = parts["train"]
    return model, {
        "train_images": len(train),
        "train_positives": int((train.labels == 1).sum()),
        "train_ids_sha256": hashlib.sha256("\n".join(train.ids).encode()).hexdigest(),
        "epochs": trial.steps * trial.batch_size / len(train),
        "seconds": round(seconds, 1),
        "test_images": len(labels),
        "test": evaluate(model, images, labels, masks),
    }


def trial_name(model, regime, seed):
    """Names the files of a trial, such as `micro_resnet-10pct-seed0`."""
    return f"{model}-{100 * regime:g}pct-seed{seed}"


def save_trial(folder, trial, model, measured):
    """Writes weights and, last, the record of the trial that made them.

    Args:
        folder: Where; the files lie in a folder of the data set's name in it.
        trial: The `Trial`.
        model: The trained model.
        measured: The dict that `train_trial` gave.

    Returns:
        The path of the record, `<folder>/<dataset>/<name>.json`, beside which the
        weights lie as `<name>.safetensors`.
    """
    name = trial_name(trial.model, trial.regime, trial.seed)
    weights = Path(folder) / trial.dataset / f"{name}.safetensors"
    save_weights(model, weights)
    record = {
        "trial": asdict(trial),
        "measured": measured,
        "weights": weights.name,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "versions": {
            name: version(name) for name in ("medattn", "keras", "tensorflow", "numpy")
        },
    }
    path = weights.with_suffix(".json")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    unfinished.write_text(json.dumps(record, indent=2) + "\n")
    os.replace(unfinished, path)
    return path


def _has_accelerator():
    if keras.backend.backend() != "tensorflow":
        return True
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
