"""The shipped micro weights, each with the trial that made it, and their loader.

What needs a backend is imported on first use, so that the records are read in no time.
"""

import hashlib
import importlib
import json
from pathlib import Path

__all__ = [
    "find_zoo_record",
    "list_own_models",
    "list_zoo_models",
    "load_own_model",
    "load_zoo_model",
    "load_zoo_weights",
]

FOLDER = Path(__file__).parent
OWN = ("list_own_models", "load_own_model")


def __getattr__(name):
    if name in OWN:
        return getattr(importlib.import_module("medattn.zoo.own"), name)
    raise AttributeError(f"module 'medattn.zoo' has no attribute {name!r}")


def list_zoo_models(dataset=None):
    """Returns the records of the shipped models.

    Args:
        dataset: Only those trained on this data set, unless None.

    Returns:
        A list of dicts: `trial` (model, dataset, regime, seed, steps, ...), `measured`
        (training images, epochs, `test` with its AUROC, ...) and `weights_sha256`.
    """
    records = [json.loads(p.read_text()) for p in sorted(FOLDER.glob("*/*.json"))]
    return [r for r in records if dataset in (None, r["trial"]["dataset"])]


def find_zoo_record(name, *, dataset="fundus", regime=1.0, seed=0):
    """Finds the record of one shipped model.

    Args:
        name: Name of the model, such as `"cbam_micro_resnet"`.
        dataset: Data set that it was trained on.
        regime: Share of the training data that it saw.
        seed: Seed of its trial.

    Returns:
        The record, as in `list_zoo_models`.

    Raises:
        ValueError: If no such model is shipped; the message lists what is.
    """
    wanted = dict(model=name, dataset=dataset, regime=regime, seed=seed)
    records = list_zoo_models()
    for record in records:
        if wanted.items() <= record["trial"].items():
            return record
    offered = {
        key: sorted({record["trial"][key] for record in records}) for key in wanted
    }
    raise ValueError(
        f"No such model is shipped. Expected one of {offered}. Received: {wanted}"
    )


def load_zoo_model(name, *, dataset="fundus", regime=1.0, seed=0):
    """Loads a shipped model with its trained weights.

    Args:
        name: As in `find_zoo_record`, like the rest.
        dataset: Data set that it was trained on.
        regime: Share of the training data that it saw.
        seed: Seed of its trial.

    Returns:
        A `keras.Model` from images `(batch, size, size, 3)` in [0, 1] to logits.

    Raises:
        ValueError: If no such model is shipped, or its weights file is not the one that
            was recorded.
    """
    from medattn.models import create_model, load_weights

    record = find_zoo_record(name, dataset=dataset, regime=regime, seed=seed)
    size = record["trial"]["size"]
    model = create_model(name, input_shape=(size, size, 3))
    load_weights(model, _checked_file(record))
    return model


def load_zoo_weights(model, *, dataset="fundus", regime=1.0, seed=0):
    """Gives a model that there is the weights of another shipped one of its name.

    What was compiled for the model stays valid: a page that shows many networks of one
    architecture compiles it once.

    Args:
        model: A `keras.Model` of `load_zoo_model`; its weights are overwritten.
        dataset: As in `find_zoo_record`, like the rest.
        regime: Share of the training data.
        seed: Seed of the trial.

    Raises:
        ValueError: As `load_zoo_model`; the model is then as it was.
    """
    from medattn.models import load_weights

    record = find_zoo_record(model.name, dataset=dataset, regime=regime, seed=seed)
    load_weights(model, _checked_file(record))


def _checked_file(record):
    """Returns where the weights lie, if they are the ones that were recorded."""
    path = FOLDER / record["trial"]["dataset"] / record["weights"]
    found = (
        hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "no file"
    )
    if found != record["weights_sha256"]:
        raise ValueError(
            f"The weights file {path.name!r} is not the one that was shipped. Expected "
            f"sha256 {record['weights_sha256']}. Received: {found}"
        )
    return path
