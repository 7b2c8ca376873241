"""The shipped micro weights, each with the trial that made it, and their loader.

What needs a backend is imported on first use, so that reading records is quick.
"""

import hashlib
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import keras

__all__ = [
    "check_zoo_files",
    "find_zoo_record",
    "list_own_models",
    "list_zoo_models",
    "load_own_model",
    "load_zoo_model",
    "load_zoo_weights",
]

FOLDER = Path(__file__).parent
USER_MODELS = ("list_own_models", "load_own_model")
PLAIN = ("random", None)  # initialisation and shortcut of the networks of micro

Record: TypeAlias = dict[str, Any]  # of a shipped network, see `list_zoo_models`


def __getattr__(name: str) -> Any:
    if name in USER_MODELS:
        return getattr(importlib.import_module("medattn.zoo.user_models"), name)
    raise AttributeError(f"module 'medattn.zoo' has no attribute {name!r}")


def list_zoo_models(dataset: str | None = None, *, plain: bool = True) -> list[Record]:
    """Returns the records of the shipped models.

    Args:
        dataset: Only those trained on this data set, unless None.
        plain: Only those from random starts, trained on images without a planted
            artefact; otherwise also the pretrained ones and those with a shortcut.

    Returns:
        A list of dicts: `trial` (model, dataset, regime, seed, steps, ...), `measured`
        (training images, epochs, `test` with its AUROC, ...) and `weights_sha256`.
    """
    paths = sorted(FOLDER.glob("*/*.json")) + sorted(FOLDER.glob("*/*/*.json"))
    records = [json.loads(path.read_text()) for path in paths]
    return [
        record
        for record in records
        if dataset in (None, record["trial"]["dataset"])
        and not (plain and _kind(record) != PLAIN)
    ]


def find_zoo_record(
    name: str,
    *,
    dataset: str = "fundus",
    regime: float = 1.0,
    seed: int = 0,
    initialisation: str = "random",
    shortcut: float | None = None,
) -> Record:
    """Finds the record of one shipped model.

    Args:
        name: Name of the model, such as `"cbam_micro_resnet"`.
        dataset: Data set that it was trained on.
        regime: Fraction of the training data that it saw.
        seed: Seed of its trial.
        initialisation: `"random"`, or `"shapes"`: its trunk was pretrained on a task of
            many classes.
        shortcut: Correlation of an artefact that was planted into its training images
            with their label; None if none was.

    Returns:
        The record, as in `list_zoo_models`.

    Raises:
        ValueError: If no such model is shipped; the message lists what is.
    """
    wanted = dict(
        model=name,
        dataset=dataset,
        regime=regime,
        seed=seed,
        initialisation=initialisation,
        shortcut=shortcut,
    )
    records = list_zoo_models(plain=False)
    for record in records:
        if wanted.items() <= record["trial"].items():
            return record
    raise ValueError(
        f"No such model is shipped. Expected one of {_offered(records, wanted)}. "
        f"Received: {wanted}"
    )


def load_zoo_model(name: str, **which: Any) -> "keras.Model":
    """Loads a shipped model with its trained weights.

    Args:
        name: As in `find_zoo_record`.
        **which: As there: `dataset`, `regime`, `seed`, `initialisation`, `shortcut`.

    Returns:
        A `keras.Model` from images `(batch, size, size, 3)` in [0, 1] to logits.

    Raises:
        ValueError: If no such model is shipped, or its weights file is not the one that
            was recorded.
    """
    from medattn.models import create_model, load_weights

    record = find_zoo_record(name, **which)
    size = record["trial"]["size"]
    model = create_model(name, input_shape=(size, size, 3))
    load_weights(model, _checked_file(record))
    return model


def load_zoo_weights(model: "keras.Model", **which: Any) -> None:
    """Gives an existing model the weights of another shipped one of its name.

    What was compiled for the model stays valid: an app that shows many networks of one
    architecture compiles it once.

    Args:
        model: A `keras.Model` of `load_zoo_model`; its weights are overwritten.
        **which: As in `find_zoo_record`.

    Raises:
        ValueError: As `load_zoo_model`; the model is then as it was.
    """
    from medattn.models import load_weights

    load_weights(model, _checked_file(find_zoo_record(model.name, **which)))


def check_zoo_files() -> list[str]:
    """Compares each shipped weights file with the hash in its record.

    Returns:
        A list with a sentence for each file that is missing or not the one that was
        recorded; empty if there is none.
    """
    faults = []
    for record in list_zoo_models(plain=False):
        try:
            _checked_file(record)
        except ValueError as error:
            faults.append(str(error))
    return faults


def _kind(record: Record) -> tuple[str, float | None]:
    """Returns what networks of one model, data set, regime and seed differ in."""
    return record["trial"]["initialisation"], record["trial"]["shortcut"]


def _offered(records: list[Record], wanted: dict[str, Any]) -> Any:
    """Lists what is shipped of the wanted model and data set, kind by kind."""
    names = ("model", "dataset")
    matching = [r for r in records if all(r["trial"][k] == wanted[k] for k in names)]
    if not matching:
        return {key: sorted({r["trial"][key] for r in records}) for key in names}
    kinds: dict[tuple[str, float | None], dict[str, set]] = {}
    for record in matching:
        offered = kinds.setdefault(_kind(record), {"regime": set(), "seed": set()})
        for key, values in offered.items():
            values.add(record["trial"][key])
    return [
        {"initialisation": start, "shortcut": shortcut}
        | {key: sorted(values) for key, values in offered.items()}
        for (start, shortcut), offered in kinds.items()
    ]


def _checked_file(record: Record) -> Path:
    """Returns the path of the weights, if they are the ones that were recorded."""
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
