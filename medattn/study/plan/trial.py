"""A trial: everything that decides one training run, and the name that it gets."""

import ast
import hashlib
import json
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

INITIALISATIONS = ("random", "shapes", "imagenet")
CHOICES = {
    "initialisation": INITIALISATIONS,
    "optimizer": ("adamw", "adam"),
    "schedule": ("cosine", "constant"),
    "selection": ("last", "best"),
    "validation": ("regime", "full"),
    "protocol": ("default", "study"),
}
# Fields that came later: trials that do not use them keep the names they had.
LATER = ("protocol", "reader")
# What the weights and the predictions of a trial follow from. A change of a docstring
# or a comment in here is no change.
DECIDING = (
    "layers",
    "models",
    "data",
    "study/execute/shapes.py",
    "study/execute/train.py",
    "study/plan/trial.py",
)


@dataclass(frozen=True)
class Trial:
    """Everything that decides a training run.

    Every regime gets the same number of steps, so that less data does not also mean
    less training; `epochs` is for the published protocol, which did otherwise.

    Attributes:
        model: A name of `medattn.models.list_models()`.
        dataset: A name of `medattn.data.list_datasets()`, or `"shapes"`, the
            many-class task for pretraining.
        regime: Share of the training data, in (0, 1].
        seed: Decides subset, starting weights, order and augmentation.
        steps: Optimiser steps.
        batch_size: Images a step.
        learning_rate: Its peak.
        size: Height and width of the images in pixels.
        initialisation: `"random"`; `"shapes"`, the trunk of a trial on that task, the
            head and the gates fresh; or `"imagenet"`, a file of torchvision or timm.
        shortcut: Correlation of a planted artefact with the label in the training
            data, in [0, 1]; None plants none. At 0 it lies about without meaning.
        epochs: Passes over the training data instead of `steps`, unless 0.
        optimizer: `"adamw"` or `"adam"`.
        schedule: `"cosine"` rises for a tenth of the steps and then falls to zero;
            `"constant"` stays at the peak.
        weight_decay: Of AdamW.
        selection: `"last"` takes the last weights, so that no label of the validation
            set chooses; `"best"` those of the round with the least validation loss.
        validation: `"regime"` thins the validation data like the training data;
            `"full"` keeps them all.
        class_weights: Whether a rare class weighs as much as a common one in the loss.
        rounds: Parts of the training; after each the model is validated and saved.
        protocol: Of a real data set: `"default"` splits by patient and leaves out
            duplicates; `"study"` takes the published study's own splits and draws.
        reader: Further options of the data set, `{"view": "frontal"}` for instance, as
            in `medattn.data.load_dataset`; kept as sorted pairs.
    """

    model: str
    dataset: str = "fundus"
    regime: float = 1.0
    seed: int = 0
    steps: int = 500
    batch_size: int = 32
    learning_rate: float = 6e-3
    size: int = 64
    initialisation: str = "random"
    shortcut: float | None = None
    epochs: int = 0
    optimizer: str = "adamw"
    schedule: str = "cosine"
    weight_decay: float = 1e-4
    selection: str = "last"
    validation: str = "regime"
    class_weights: bool = False
    rounds: int = 10
    protocol: str = "default"
    reader: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, "reader", _pairs(self.reader))
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


def _pairs(reader):
    """Sorts the options of a reader, so that one trial has one form."""
    own = ("root", "protocol", "shortcut", "split", "regime", "seed", "size")
    try:
        pairs = tuple(sorted(dict(reader).items()))
    except (TypeError, ValueError):
        pairs = ((None, reader),)
    for name, value in pairs:
        known = isinstance(name, str) and isinstance(value, str | int | float)
        if name in own or not known:
            raise ValueError(
                "A reader's options are words and numbers by name, none of which a "
                f"trial or study has itself. Expected none of {list(own)}. "
                f"Received: reader={reader!r}"
            )
    return pairs


def check_name(what, name, known):
    """Refuses an unknown name, with the names that come near to it.

    Args:
        what: What it names, `"model"` for instance.
        name: The name.
        known: The names there are.
    """
    if name in known:
        return
    near = get_close_matches(str(name), known, n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(
        f"Unknown {what} {name!r}.{hint} Expected one of {sorted(known)}. "
        f"Received: {what}={name!r}"
    )


def trial_name(model, regime, seed):
    """Names the files of a shipped trial, such as `micro_resnet-10pct-seed0`."""
    return f"{model}-{100 * regime:g}pct-seed{seed}"


def trial_id(trial):
    """Names the folder of a trial: readable, and another for every other trial or code.

    Args:
        trial: A `Trial`.

    Returns:
        A string such as `fundus-se_micro_resnet-10pct-seed0-1f3a90c2`; the last part
        is a hash of the whole trial and of the code that decides it.
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


def trial_config(trial):
    """Writes a trial as a dict, without the later fields that it does not use."""
    unused = {f.name for f in fields(Trial) if f.name in LATER}
    unused = {name for name in unused if getattr(trial, name) == getattr(Trial, name)}
    return {key: value for key, value in asdict(trial).items() if key not in unused}


def read_trial(config):
    """Makes a `Trial` of a config that was saved; what is not the trial's is left."""
    known = {field.name for field in fields(Trial)}
    return Trial(**{key: value for key, value in config.items() if key in known})


def pretraining(trial):
    """Finds the trial whose trunk another one starts from.

    Args:
        trial: A `Trial`.

    Returns:
        A `Trial` of the same trunk without attention on `"shapes"`, or None.
    """
    if trial.initialisation != "shapes":
        return None
    trunk = trial.model.removeprefix("se_").removeprefix("cbam_")
    return Trial(trunk, dataset="shapes", seed=trial.seed, size=trial.size, steps=1000)


@lru_cache(maxsize=1)
def code_fingerprint():
    """Hashes the code that decides a trial, blind to comments and docstrings."""
    room = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for part in DECIDING:
        path = room / part
        for source in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(source.relative_to(room).as_posix().encode())
            digest.update(bare_code(source.read_text()).encode())
    return digest.hexdigest()[:16]


def bare_code(source):
    """Writes a file's syntax tree without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            del body[0]
    return ast.dump(tree)
