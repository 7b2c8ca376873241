"""Checks of what comes into `analyze`: arrays for the inputs."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np

from medattn.explain.graph.model_runner import embedding_name
from medattn.explain.graph.steps import is_floating

Images = Any  # an array `(batch, height, width, channels)`; or a list or dict of such


def checked_arrays(
    x: Images, names: Sequence[str] | None, shapes: Sequence[Any], types: Sequence[str]
) -> list[np.ndarray]:
    """Returns one array for each input, of the input's type.

    Args:
        x: What `analyze` was given.
        names: The inputs' names; None of a subclassed model, which has none.
        shapes: The inputs' shapes, None where a size is free.
        types: The inputs' types.

    Raises:
        ValueError: If the arrays do not fit.
    """
    if names is None:
        given = list(x) if isinstance(x, list | tuple) and np.ndim(x[0]) > 1 else [x]
        shapes = [(None,) * np.ndim(array) for array in given]
        types = ["float32"] * len(given)
        names = [f"input {n}" for n in range(len(given))]
    elif len(names) > 1:
        if isinstance(x, dict):
            x = [x[name] for name in names if name in x]
        given = list(x)
    elif isinstance(x, list) and len(x) == 1 and np.ndim(x[0]) == len(shapes[0]):
        given = x
    else:
        given = [x]
    if len(given) != len(names):
        raise ValueError(
            "The images do not fit the model. Expected one array for each of its "
            f"inputs, {list(names)}. Received: {len(given)}"
        )
    arrays = [
        np.asarray(array, "float32" if "float" in kind else kind)
        for array, kind in zip(given, types, strict=True)
    ]
    for array, expected in zip(arrays, shapes, strict=True):
        fits = array.ndim == len(expected) and all(
            want in (None, have)
            for want, have in zip(expected, array.shape, strict=True)
        )
        if not fits or not array.size or len(array) != len(arrays[0]):
            raise ValueError(
                "The images do not fit the model. Expected a batch of shape "
                f"{tuple(expected)}. Received: {array.shape}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(
                "Some pixels are no numbers. Expected finite pixels in [0, 1]. "
                f"Received: {np.sum(~np.isfinite(array))} that are NaN or infinite"
            )
    return arrays


def check_floating(
    model: keras.Model, names: Sequence[str], tensors: Sequence[Any], chosen: list[int]
) -> None:
    """Refuses to explain inputs of whole numbers, and says what can be explained."""
    for index in chosen:
        if is_floating(tensors[index]):
            continue
        raise ValueError(
            "There is no derivative by the whole-numbered input "
            f"{names[index]!r}. Expected inputs of floating-point numbers, or at= the "
            "name of the layer that makes such of them, as "
            f"at={embedding_name(model)!r}. Received: {tensors[index].dtype}"
        )


def labels(model: keras.Model, what: Literal["input", "output"]) -> list[str]:
    """Returns the names of a functional model's inputs or outputs."""
    if what == "input":
        return [tensor.name for tensor in model.inputs]
    # A Sequential model has one output and no list of names.
    return list(getattr(model, "output_names", None) or [model.layers[-1].name])


def index_of(
    names: Sequence[str], chosen: str | int | None, what: Literal["input", "output"]
) -> list[int]:
    """Returns the indices of the chosen inputs or outputs; of all for None."""
    if chosen is None:
        return list(range(len(names)))
    if chosen in names:
        return [list(names).index(str(chosen))]
    if isinstance(chosen, int) and not isinstance(chosen, bool):
        if 0 <= chosen < len(names):
            return [chosen]
    raise ValueError(
        f"The model has no such {what}. Expected one of {list(names)}, or a number "
        f"from 0 to {len(names) - 1}. Received: {what}={chosen!r}"
    )
