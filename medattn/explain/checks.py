"""Checks of what comes into `analyze`: arrays for the inputs, and neurons."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from medattn.explain.graph.model_runner import embedding_name
from medattn.explain.graph.steps import is_floating
from medattn.layers.tensor import Tensor

Images = Any  # an array `(batch, height, width, channels)`; or a list or dict of such
Neurons = int | Sequence[int] | np.ndarray | None
SELECTION_MODES = ("max_activation", "index")


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


def checked_neurons(
    selection: Neurons, mode: str, batch: int, classes: int | None
) -> np.ndarray:
    """Returns the neurons to explain.

    Args:
        selection: What `analyze` was given.
        mode: The neuron selection mode.
        batch: The number of samples.
        classes: The number of logits; None if it is not known.

    Returns:
        `(batch,)`, -1 for the largest logit; or `(batch, 2)`, of which the first less
        the second is explained.

    Raises:
        ValueError: If the selection does not fit.
    """
    pair = isinstance(selection, tuple) and len(selection) == 2
    if mode == "max_activation" and not pair:
        if selection is not None:
            raise ValueError(
                "The largest logit is explained, so none can be chosen. Expected "
                "neuron_selection=None, or neuron_selection_mode='index'. "
                f"Received: neuron_selection={selection!r}"
            )
        return np.full(batch, -1, np.int32)
    neurons = np.asarray(-1 if selection is None else selection)
    last = np.inf if classes is None else classes
    if (
        neurons.dtype.kind not in "iu"
        or not pair
        and neurons.shape not in ((), (1,), (batch,))
        or pair
        and (neurons.shape != (2,) or neurons[0] == neurons[1])
        or (neurons < 0).any()
        or (neurons >= last).any()
    ):
        raise ValueError(
            "The neuron to explain is not one of the model's. Expected an integer, "
            f"or one a sample, from 0 to {last - 1}; or a pair (a, b) of two, for "
            f"logit a less logit b. Received: neuron_selection={selection!r}"
        )
    shape = (batch, 2) if pair else (batch,)
    return np.broadcast_to(neurons, shape).astype(np.int32)


def choose(outputs: Tensor, neurons: Tensor) -> Tensor:
    """Picks one logit a sample, or the difference of two.

    Args:
        outputs: `(batch, classes)`.
        neurons: `(batch,)`, a negative index for the largest logit; or `(batch, 2)`.
    """
    neurons = known_neurons(outputs, neurons)

    def row(index: Tensor) -> Tensor:
        return ops.one_hot(index, outputs.shape[-1], dtype=outputs.dtype)

    if len(neurons.shape) == 2:
        weights = row(neurons[:, 0]) - row(neurons[:, 1])
    else:
        weights = row(neurons)
    return ops.sum(outputs * weights, axis=-1)


def known_neurons(outputs: Tensor, neurons: Tensor) -> Tensor:
    """Replaces negative neurons by those of the largest logits."""
    largest = ops.cast(ops.argmax(outputs, axis=-1), "int32")
    if len(neurons.shape) == 2:
        largest = largest[:, None]
    return ops.where(neurons < 0, largest, neurons)


def picked(outputs: np.ndarray, neurons: np.ndarray) -> np.ndarray:
    """Does as `choose`, with arrays."""
    if neurons.ndim == 1:
        neurons = np.where(neurons < 0, outputs.argmax(-1), neurons)[:, None]
        return np.take_along_axis(outputs, neurons, 1)[:, 0]
    both = np.take_along_axis(outputs, neurons, 1)
    return both[:, 0] - both[:, 1]


def check_row(shape: Sequence[int | None]) -> None:
    """Refuses an output that is no row of logits, and says what to do."""
    if len(shape) == 2 and shape[-1] is not None:
        return
    raise ValueError(
        "Only one row of logits a sample can be explained. Expected an output of shape "
        "(batch, classes); of a map take a region, as "
        "keras.ops.sum(model.output * mask, axis=(1, 2)), of a single number "
        "keras.ops.expand_dims(model.output, -1), and make a keras.Model of the inputs "
        f"and it. Received: {tuple(shape)}"
    )


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
