"""A trial: everything that decides one training run, and the name that it gets."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias, get_args

from medattn.study.plan.code import code_fingerprint

SHAPES = "shapes"  # the pretraining set: a data set of the study, not of medattn.data

Initialisation: TypeAlias = Literal["random", "shapes", "imagenet"]
Optimizer: TypeAlias = Literal["adamw", "adam"]
Schedule: TypeAlias = Literal["cosine", "constant"]
Selection: TypeAlias = Literal["last", "best"]
Validation: TypeAlias = Literal["regime", "full"]
Protocol: TypeAlias = Literal["default", "study"]
DatasetOptions: TypeAlias = tuple[tuple[str, str | int | float], ...]

CHOICES = {
    "initialisation": get_args(Initialisation),
    "optimizer": get_args(Optimizer),
    "schedule": get_args(Schedule),
    "selection": get_args(Selection),
    "validation": get_args(Validation),
    "protocol": get_args(Protocol),
}
# Fields that were added later: trials that do not use them keep the ids they had.
LATER = ("protocol", "reader")
# Options of `load_dataset` that a trial or a study sets itself.
OWN_OPTIONS = ("root", "protocol", "shortcut", "split", "regime", "seed", "size")


@dataclass(frozen=True)
class Trial:
    """Everything that decides a training run.

    Every regime gets the same number of steps, so that less data does not also mean
    less training; `epochs` is for the published protocol, which did otherwise.

    Attributes:
        model: A name of `medattn.models.list_models()`.
        dataset: A name of `medattn.data.list_datasets()`, or `"shapes"`, the
            many-class task for pretraining.
        regime: Fraction of the training data, in (0, 1].
        seed: Decides subset, initial weights, order and augmentation.
        steps: Optimiser steps.
        batch_size: Images a step.
        learning_rate: Its peak.
        size: Height and width of the images in pixels.
        initialisation: `"random"`; `"shapes"`, the trunk of a trial on that task, with
            a new head and new gates; or `"imagenet"`, a file of torchvision or timm.
        shortcut: Correlation of a planted artefact with the label in the training
            data, in [0, 1]; None plants none. At 0 the artefact is independent of the
            label.
        epochs: Passes over the training data instead of `steps`, unless 0.
        optimizer: `"adamw"` or `"adam"`.
        schedule: `"cosine"` rises for a tenth of the steps and then falls to zero;
            `"constant"` stays at the peak.
        weight_decay: Of AdamW.
        selection: `"last"` takes the last weights, so that no label of the validation
            set chooses; `"best"` those of the round with the smallest validation loss.
        validation: `"regime"` reduces the validation data like the training data;
            `"full"` keeps them all.
        class_weights: Whether a rare class weighs as much as a common one in the loss.
        rounds: Parts of the training; after each the model is validated and saved.
        protocol: Of a real data set: `"default"` splits by patient and leaves out
            duplicates; `"study"` uses the published study's own splits and sampling.
        reader: Further options of the data set, a dict such as
            `{"view": "frontal"}`, as in `medattn.data.load_dataset`; kept as sorted
            pairs.
    """

    model: str
    dataset: str = "fundus"
    regime: float = 1.0
    seed: int = 0
    steps: int = 500
    batch_size: int = 32
    learning_rate: float = 6e-3
    size: int = 64
    initialisation: Initialisation = "random"
    shortcut: float | None = None
    epochs: int = 0
    optimizer: Optimizer = "adamw"
    schedule: Schedule = "cosine"
    weight_decay: float = 1e-4
    selection: Selection = "last"
    validation: Validation = "regime"
    class_weights: bool = False
    rounds: int = 10
    protocol: Protocol = "default"
    reader: DatasetOptions = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "reader", _sorted_options(self.reader))
        for name in ("steps", "batch_size", "learning_rate", "size", "rounds"):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"A trial needs something to do. Expected {name} > 0. "
                    f"Received: {name}={getattr(self, name)}"
                )
        for name, known in CHOICES.items():
            check_name(name, getattr(self, name), known)
        if self.shortcut is not None and not 0 <= self.shortcut <= 1:
            raise ValueError(
                "A shortcut is a correlation with the label. Expected 0 <= shortcut "
                f"<= 1. Received: shortcut={self.shortcut}"
            )


def _sorted_options(options: Any) -> DatasetOptions:
    """Sorts the options of a data set, so that equal trials compare equal."""
    try:
        pairs = tuple(sorted(dict(options).items()))
    except (TypeError, ValueError):
        pairs = ((None, options),)
    for name, value in pairs:
        known = isinstance(name, str) and isinstance(value, str | int | float)
        if name in OWN_OPTIONS or not known:
            raise ValueError(
                "The options of a data set are words and numbers by name, none of "
                "which a trial or a study sets itself. Expected none of "
                f"{list(OWN_OPTIONS)}. Received: reader={options!r}"
            )
    return pairs


def check_name(what: str, name: object, known: Collection[str]) -> None:
    """Refuses an unknown name and suggests similar ones.

    Args:
        what: What it names, `"model"` for instance.
        name: The name.
        known: The names there are.

    Raises:
        ValueError: If the name is not among them.
    """
    if name in known:
        return
    near = get_close_matches(str(name), known, n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(
        f"Unknown {what} {name!r}.{hint} Expected one of {sorted(known)}. "
        f"Received: {what}={name!r}"
    )


def trial_name(model: str, regime: float, seed: int | str) -> str:
    """Names the files of a shipped trial, such as `micro_resnet-10pct-seed0`."""
    return f"{model}-{100 * regime:g}pct-seed{seed}"


def trial_id(trial: Trial) -> str:
    """Names the folder of a trial: readable, and unique to the trial and its code.

    Args:
        trial: A `Trial`.

    Returns:
        A string such as `fundus-se_micro_resnet-10pct-seed0-1f3a90c2`; the last part
        is a hash of the complete trial and of the code that decides it.
    """
    config = trial_config(trial) | {"code": code_fingerprint()}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    parts = [trial.dataset, trial_name(trial.model, trial.regime, trial.seed)]
    if trial.initialisation != "random":
        parts.insert(1, trial.initialisation)
    if trial.shortcut is not None:
        parts.insert(1, f"shortcut{trial.shortcut:g}")
    if trial.protocol != "default":
        parts.insert(1, f"{trial.protocol}_protocol")
    return "-".join([*parts, digest[:8]])


def trial_config(trial: Trial) -> dict[str, Any]:
    """Writes a trial as a dict, without the later fields that it does not use."""
    unused = {name for name in LATER if getattr(trial, name) == getattr(Trial, name)}
    return {key: value for key, value in asdict(trial).items() if key not in unused}


def read_trial(config: Mapping[str, Any]) -> Trial:
    """Makes a `Trial` of a saved config; keys that are no field are ignored."""
    known = {field.name for field in fields(Trial)}
    return Trial(**{key: value for key, value in config.items() if key in known})


def pretraining(trial: Trial) -> Trial | None:
    """Finds the trial whose trunk another one starts from.

    Args:
        trial: A `Trial`.

    Returns:
        A `Trial` of the same trunk without attention on `"shapes"`, or None.
    """
    if trial.initialisation != SHAPES:
        return None
    trunk = trial.model.removeprefix("se_").removeprefix("cbam_")
    return Trial(trunk, dataset=SHAPES, seed=trial.seed, size=trial.size, steps=1000)
