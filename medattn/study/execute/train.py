"""Training that can stop at any moment and go on to the same bits."""

import hashlib
import json
import os
import time
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from medattn.data import load_dataset
from medattn.models import create_model, load_pretrained, save_weights
from medattn.study.analyse.metrics import evaluate, probabilities
from medattn.study.analyse.scores import auroc
from medattn.study.execute import devices, shapes
from medattn.study.files import load_checkpoint, save_checkpoint
from medattn.study.plan.trial import trial_config, trial_name

SEED_STATE = "seed_generator_state"  # how Keras names the state of a SeedGenerator


SAME = "test_with_shortcut"


class Board(keras.callbacks.TensorBoard):
    """Writes what Keras's own writes by the epoch.

    That makes two summaries for every batch, too, and then has nowhere to write them.
    """

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, None)


class Diverged(ValueError):
    """The loss is no number any more: a trial's own fault, which no retry mends."""


def train_trial(trial, *, root=None, verbose=1):
    """Trains one model and measures it on the test set.

    Args:
        trial: A `Trial`.
        root: Folder of a data set that is not drawn.
        verbose: As in `keras.Model.fit`: 0 silent, 1 a progress bar.

    Returns:
        The trained `keras.Model`, its weights rounded to float16 as they are shipped,
        and a dict of what was measured.

    Raises:
        ValueError: If a name of the trial is unknown, the regime leaves too little, or
            training diverged.
    """
    start = time.perf_counter()
    model, parts, _ = fit_trial(trial, root=root, verbose=verbose)
    seconds = time.perf_counter() - start
    images, labels, masks = parts["test"].arrays()
    train = parts["train"]
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
    trial, *, folder=None, trunk=None, root=None, on_round=None, verbose=0, callbacks=()
):
    """Trains one model, from the last good checkpoint if there is one.

    Chance enters through the seed and the number of the step alone: the batches follow
    from the seed and their place in the stream, and every random layer is seeded anew
    at the start of each round. So it does not matter how often the training was cut
    off.

    Args:
        trial: A `Trial`.
        folder: Where checkpoints lie; None keeps none.
        trunk: The weights that `initialisation` asks for: a `keras.Model` of the
            pretraining trial, or the path of a file for `"imagenet"`.
        root: Folder of a data set that is not drawn.
        on_round: Called with the history after each round; what it raises ends the
            training.
        verbose: As in `keras.Model.fit`.
        callbacks: Further Keras callbacks.

    Returns:
        The model, its weights rounded to float16; the three splits by name; and the
        history, a list with one dict a round.

    Raises:
        Diverged: If the loss is not finite.
    """
    parts = load_parts(trial, root=root)
    train = parts["train"]
    keras.utils.set_random_seed(trial.seed)
    steps, gpus = step_count(trial, len(train)), devices.find_gpus()
    with devices.training_scope(gpus):
        model = create_model(
            trial.model,
            num_classes=len(train.card.classes),
            input_shape=(trial.size, trial.size, 3),
        )
        start_from(model, trial, trunk)
        model.compile(
            _optimizer(trial, steps),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=devices.uses_xla(gpus),
        )
        model.optimizer.build(model.trainable_variables)
    plain = devices.on_one_device(model, gpus)
    rounds = min(trial.rounds, steps)
    each = steps // rounds
    judge = _Judge(trial, plain, parts["validation"], folder, on_round)
    judge.set_model(model)
    judge.resume()
    weights = _balanced(train.labels) if trial.class_weights else None
    # Keras lays class weights, and a mirrored model its shares, over the stream, and
    # neither goes with batches that lie on an accelerator already.
    ahead = gpus[0] if len(gpus) == 1 and not trial.class_weights else None
    # All rounds have one length but the last, which takes what is left over.
    last = steps - each * (rounds - 1)
    for first, until, length in ((0, rounds - 1, each), (rounds - 1, rounds, last)):
        begin = max(first, len(judge.history))
        if begin < until:
            # Made anew, for a second pass over one tf.data shuffle has another order.
            stream = train.batches(
                trial.batch_size,
                training=True,
                seed=trial.seed,
                start=judge.step,
                device=ahead,
            )
            model.fit(
                stream,
                initial_epoch=begin,
                epochs=until,
                steps_per_epoch=length,
                shuffle=False,  # the pipeline shuffles
                class_weight=weights,
                callbacks=[judge, *callbacks],
                verbose=verbose,
            )
    judge.take_selected()
    for weight in model.weights:
        weight.assign(np.asarray(weight.numpy(), np.float16).astype(np.float32))
    return plain, parts, judge.history


class _Judge(keras.callbacks.Callback):
    """Validates, keeps the history, and saves after every round."""

    def __init__(self, trial, plain, validation, folder, on_round):
        super().__init__()
        self.trial, self.folder, self.on_round = trial, folder, on_round
        self.plain = plain
        self.images, self.labels = validation.arrays()[:2]
        self.history, self.best, self.step = [], {}, 0

    def resume(self):
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

    def on_epoch_begin(self, epoch, logs=None):
        chance = np.random.default_rng([self.trial.seed, epoch])
        for variable in self.model.variables:
            if SEED_STATE in variable.path:
                variable.assign(chance.integers(0, 2**31, variable.shape))

    def on_epoch_end(self, epoch, logs):
        if not np.isfinite(logs["loss"]):
            raise Diverged(
                "The training diverged. Expected a finite loss; a smaller learning "
                f"rate may help. Received: loss={logs['loss']} in round {epoch + 1} "
                f"at learning_rate={self.trial.learning_rate}"
            )
        chance = probabilities(self.plain, self.images)
        own = chance[np.arange(len(chance)), self.labels]
        logs |= {
            "val_loss": float(-np.log(np.maximum(own, 1e-12)).mean()),
            "val_accuracy": float(np.mean(chance.argmax(-1) == self.labels)),
        }
        if chance.shape[1] == 2:
            logs["val_auroc"] = auroc(self.labels == 1, chance[:, 1])
        self.step = int(self.model.optimizer.iterations.numpy())
        self.history.append(
            {"step": self.step} | {name: float(value) for name, value in logs.items()}
        )
        least = min(line["val_loss"] for line in self.history)
        if self.trial.selection == "best" and logs["val_loss"] == least:
            self.best = {w.path: np.array(w.numpy()) for w in self.model.weights}
        if self.folder:
            arrays = {k: np.asarray(v.numpy()) for k, v in self._variables().items()}
            arrays |= {f"best/{name}": array for name, array in self.best.items()}
            progress = {"step": self.step, "history": self.history}
            save_checkpoint(self.folder, arrays, progress)
        if self.on_round:
            self.on_round(self.history)

    def take_selected(self):
        for weight in self.model.weights:
            if weight.path in self.best:
                weight.assign(self.best[weight.path])

    def _variables(self):
        """Names all that a step changes: weights, and what the optimiser remembers."""
        weights = {f"model/{w.path}": w for w in self.model.weights}
        optimizer = enumerate(self.model.optimizer.variables)
        return weights | {f"optimizer/{number}": v for number, v in optimizer}


def load_parts(trial, *, root=None):
    """Loads the splits of a trial by name.

    In the test split a planted artefact means nothing; with a shortcut there is one
    more, `SAME`, in which it means what it meant in training.
    """
    if trial.dataset == shapes.NAME:
        splits = ("train", "validation", "test")
        return {split: shapes.Shapes(split, trial.size) for split in splits}
    common = {"seed": trial.seed, "size": trial.size} | dict(trial.reader)
    if trial.protocol != "default":
        common["protocol"] = trial.protocol
    if root is not None:
        common["root"] = root
    planted = {} if trial.shortcut is None else {"shortcut": trial.shortcut}
    loose = {} if trial.shortcut is None else {"shortcut": 0.0}
    kept = trial.regime if trial.validation == "regime" else 1.0
    parts = {
        "train": load_dataset(
            trial.dataset, split="train", regime=trial.regime, **common, **planted
        ),
        "validation": load_dataset(
            trial.dataset, split="validation", regime=kept, **common, **planted
        ),
        "test": load_dataset(trial.dataset, split="test", **common, **loose),
    }
    if trial.shortcut:
        parts[SAME] = load_dataset(trial.dataset, split="test", **common, **planted)
    return parts


def start_from(model, trial, trunk):
    """Gives a fresh model the trunk that its trial starts from.

    Weights go over by their names; those of the head and of the gates stay fresh, as
    from scratch, so that the trunk alone is another.

    Args:
        model: Of `create_model`.
        trial: Its `Trial`.
        trunk: As in `fit_trial`.
    """
    if trial.initialisation == "random":
        return
    if trunk is None:
        raise ValueError(
            "The starting weights are missing. Expected a file of torchvision's or "
            f"timm's weights for {trial.model!r}, named by `weights` in the study. "
            f"Received: initialisation={trial.initialisation!r} and none"
        )
    if trial.initialisation == "imagenet":
        load_pretrained(model, trunk)
        return
    known = {weight.path: weight for weight in trunk.weights}
    taken = 0
    for weight in model.weights:
        there = known.get(weight.path)
        if there is not None and not weight.path.startswith(("predictions", "head")):
            weight.assign(there.numpy())
            taken += 1
    if not taken:
        raise ValueError(
            f"The trunk does not fit. Expected weights named as in {model.name!r}. "
            f"Received: those of {trunk.name!r}"
        )


def step_count(trial, train_images):
    """Says how many steps a trial takes."""
    if not trial.epochs:
        return trial.steps
    return trial.epochs * max(1, -(-train_images // trial.batch_size))


def ids_sha256(ids):
    """Hashes the names of the images that a model saw."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


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
        "trial": trial_config(trial),
        "measured": measured,
        "weights": weights.name,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "versions": versions(),
    }
    path = weights.with_suffix(".json")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    unfinished.write_text(json.dumps(record, indent=2) + "\n")
    os.replace(unfinished, path)
    return path


def versions():
    """Returns the versions that a trial's bits hang on."""
    names = ("medattn", "keras", "tensorflow", "numpy")
    return {name: version(name) for name in names}


def _optimizer(trial, steps):
    rate = trial.learning_rate
    if trial.schedule == "cosine":
        warmup = max(1, steps // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warmup), warmup_target=rate, warmup_steps=warmup
        )
    if trial.optimizer == "adam":
        return keras.optimizers.Adam(rate)
    return keras.optimizers.AdamW(rate, weight_decay=trial.weight_decay)


def _balanced(labels):
    """Weighs classes so that each has the same share of the loss."""
    names, counts = np.unique(labels, return_counts=True)
    shares = len(labels) / (len(names) * counts)
    return {int(name): float(share) for name, share in zip(names, shares, strict=True)}
