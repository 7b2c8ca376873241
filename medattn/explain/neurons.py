"""Which outputs are explained: a logit, a difference of two, or a region of a map.

Every output is taken as a row, `(batch, entries)`. What is explained of it is, in all
analyzers, one of three arrays: the index of one entry for each sample, `(batch,)`, -1
for the largest; a pair of them, `(batch, 2)`, the first less the second; or a weight
for each entry, `(batch, entries)` of floating-point numbers.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from medattn.layers.tensor import Tensor

Neurons = Any  # None, an integer, one a sample, a pair (a, b), a mask or a box
SELECTION_MODES = ("max_activation", "index")


def checked_neurons(
    selection: Neurons, mode: str, batch: int, shape: Sequence[int | None] | None
) -> np.ndarray:
    """Returns what is to be explained, see this module.

    Args:
        selection: What `analyze` was given.
        mode: The neuron selection mode.
        batch: The number of samples.
        shape: That of the output, without the batch; None if it is not known.

    Raises:
        ValueError: If the selection does not fit.
    """
    is_row = shape is None or len(shape) < 2
    if _is_mask(selection, is_row) or _is_box(selection):
        return _checked_region(selection, batch, shape)
    pair = isinstance(selection, tuple) and len(selection) == 2
    if mode == "max_activation" and not pair:
        if selection is not None:
            raise ValueError(
                "The largest logit is explained, so none can be chosen. Expected "
                "neuron_selection=None, or neuron_selection_mode='index'. "
                f"Received: neuron_selection={selection!r}"
            )
        return np.full(batch, -1, np.int32)
    classes = np.inf if shape is None else shape[-1] if shape else 1
    if classes is None:
        classes = np.inf
    neurons = np.asarray(-1 if selection is None else selection)
    if (
        neurons.dtype.kind not in "iu"
        or not pair
        and neurons.shape not in ((), (1,), (batch,))
        or pair
        and (neurons.shape != (2,) or neurons[0] == neurons[1])
        or (neurons < 0).any()
        or (neurons >= classes).any()
    ):
        raise ValueError(
            "The neuron to explain is not one of the model's. Expected an integer, "
            f"or one a sample, from 0 to {classes - 1}; or a pair (a, b) of two, for "
            f"logit a less logit b. Received: neuron_selection={selection!r}"
        )
    if not is_row and shape is not None:
        return _whole_channels(neurons, pair, batch, shape)
    size = (batch, 2) if pair else (batch,)
    return np.broadcast_to(neurons, size).astype(np.int32)


def _is_mask(selection: Neurons, is_row: bool) -> bool:
    """Whether a selection is an array of weights; of a row, of true and false."""
    if not isinstance(selection, (np.ndarray, list)):
        return False
    array = np.asarray(selection)
    return array.ndim > 0 and array.dtype.kind in ("b" if is_row else "bf")


def _is_box(selection: Neurons) -> bool:
    """Whether a selection is an index of numpy with a slice, as `np.s_[2:4, 0]`."""
    if isinstance(selection, slice):
        return True
    known = isinstance(selection, tuple) and len(selection) > 0
    return known and any(isinstance(each, slice) for each in selection)


def _checked_region(
    selection: Neurons, batch: int, shape: Sequence[int | None] | None
) -> np.ndarray:
    """Returns the weights of a mask or box, `(batch, entries)`."""
    received = np.shape(selection) if _is_mask(selection, False) else selection
    if shape is None or None in shape:
        fits, known = False, tuple(np.shape(selection))
        if isinstance(selection, np.ndarray) and shape is not None:
            fits = len(known) == len(shape)
        shape = known if fits else None
    weights: np.ndarray | None = None
    if shape is not None and _is_box(selection):
        weights = np.zeros(tuple(int(n or 0) for n in shape), np.float32)
        try:
            weights[selection] = 1
        except IndexError:
            weights = None
    elif shape is not None:
        weights = np.asarray(selection, np.float32)
        if weights.ndim == len(shape) - 1 and weights.shape == tuple(shape[:-1]):
            weights = np.repeat(weights[..., None], int(shape[-1] or 1), axis=-1)
        if weights.shape not in (tuple(shape), (batch, *shape)):
            weights = None
    if weights is None or not np.isfinite(weights).all() or not weights.any():
        raise ValueError(
            "The region to explain is none of the model's output. Expected a mask of "
            f"shape {shape}, one without the last axis for all of its channels, or one "
            "a sample; or a box as np.s_[top:bottom, left:right, channel]; with some "
            f"entry in it. Received: neuron_selection of {received}"
        )
    if weights.ndim == len(shape or ()):
        weights = np.broadcast_to(weights, (batch, *weights.shape))
    return weights.reshape(batch, -1).copy()


def _whole_channels(
    neurons: np.ndarray, pair: bool, batch: int, shape: Sequence[int | None]
) -> np.ndarray:
    """Returns the weights of a map's channels, each summed over all positions."""
    if None in shape:
        raise ValueError(
            "The size of the output is not known, so a channel cannot be summed. "
            f"Expected a mask of its size. Received: {tuple(shape)}"
        )
    eye = np.eye(int(shape[-1] or 1), dtype=np.float32)
    if pair:
        rows = np.broadcast_to(eye[neurons[0]] - eye[neurons[1]], (batch, len(eye)))
    else:
        rows = eye[np.broadcast_to(neurons, (batch,))]
    positions = int(np.prod([int(n or 1) for n in shape[:-1]]))
    return np.tile(rows, (1, positions))


def as_row(outputs: Tensor) -> Tensor:
    """Writes any output as a row, `(batch, entries)`."""
    shape = tuple(outputs.shape)
    if len(shape) == 2:
        return outputs
    known = None not in shape[1:]
    return ops.reshape(outputs, (-1, int(np.prod(shape[1:])) if known else -1))


def choose(outputs: Tensor, neurons: Tensor) -> Tensor:
    """Picks one logit a sample, the difference of two, or a weighted sum.

    Args:
        outputs: `(batch, entries)`.
        neurons: See this module.
    """
    if _is_floating(neurons):
        return ops.sum(outputs * neurons, axis=-1)
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
    if _is_floating(neurons):
        return neurons
    largest = ops.cast(ops.argmax(outputs, axis=-1), "int32")
    if len(neurons.shape) == 2:
        largest = largest[:, None]
    return ops.where(neurons < 0, largest, neurons)


def picked(outputs: np.ndarray, neurons: np.ndarray) -> np.ndarray:
    """Does as `choose`, with arrays."""
    if neurons.dtype.kind == "f":
        return (outputs.astype(np.float64) * neurons).sum(-1)
    if neurons.ndim == 1:
        neurons = np.where(neurons < 0, outputs.argmax(-1), neurons)[:, None]
        return np.take_along_axis(outputs, neurons, 1)[:, 0]
    both = np.take_along_axis(outputs, neurons, 1)
    return both[:, 0] - both[:, 1]


def _is_floating(neurons: Tensor) -> bool:
    """Whether neurons are weights, not indices."""
    return "float" in keras.backend.standardize_dtype(neurons.dtype)
