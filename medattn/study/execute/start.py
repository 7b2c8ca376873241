"""The weights that a trial starts from."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from medattn.models import load_pretrained
from medattn.study.plan.trial import Trial

HEADS = ("predictions", "head")


def load_start(
    model: keras.Model, trial: Trial, trunk: keras.Model | str | Path | None
) -> None:
    """Gives a new model the weights that its trial starts from.

    Weights are matched by name. Of `"shapes"` and `"imagenet"` the head and the gates
    stay random, so that a pretrained model differs from a random one in its trunk
    alone; of a `"file"` all that fit are taken, and the head stays random where the
    number of classes differs. With `trial.freeze`, what was loaded is not trained, but
    for the head.

    Args:
        model: Of `create_model`.
        trial: Its `Trial`.
        trunk: A `keras.Model`, or the path of a file for `"imagenet"` and `"file"`.

    Raises:
        ValueError: If the weights are missing, or none of them fits.
    """
    if trial.initialisation == "random":
        return
    if trunk is None:
        raise ValueError(
            "The starting weights are missing. Expected a file of weights for "
            f"{trial.model!r}, named by `weights` in the study. "
            f"Received: initialisation={trial.initialisation!r} and none"
        )
    if trial.initialisation == "imagenet":
        assert not isinstance(trunk, keras.Model)
        left = set(load_pretrained(model, trunk))
        loaded = {weight.path for weight in model.weights} - left
    elif trial.initialisation == "file":
        from medattn.study.execute.weights_file import read_weights

        loaded = _assign(model, read_weights(trunk, model), "the file")
    else:
        assert isinstance(trunk, keras.Model)
        arrays = {
            weight.path: weight.numpy()
            for weight in trunk.weights
            if not weight.path.startswith(HEADS)
        }
        loaded = _assign(model, arrays, repr(trunk.name))
    if trial.freeze:
        _freeze(model, loaded)


def _assign(
    model: keras.Model, arrays: Mapping[str, np.ndarray], source: str
) -> set[str]:
    """Assigns the weights that fit by name and shape; returns their paths."""
    loaded = set()
    for weight in model.weights:
        array = arrays.get(weight.path)
        if array is not None and np.shape(array) == tuple(weight.shape):
            weight.assign(array)
            loaded.add(weight.path)
    if not loaded:
        raise ValueError(
            f"The starting weights do not fit. Expected weights named as in "
            f"{model.name!r}. Received: those of {source}"
        )
    return loaded


def _freeze(model: keras.Model, loaded: set[str]) -> None:
    """Keeps every layer whose weights were loaded from being trained, but the head."""
    for layer in model.layers:
        paths = {weight.path for weight in layer.weights}
        if paths and paths <= loaded and not layer.name.startswith(HEADS):
            layer.trainable = False
