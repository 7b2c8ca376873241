"""What a function does, found by trying it on a few inputs.

A function of one tensor whose code cannot be followed is entrywise, linear, or a
softmax, or none of these; then it has no rule.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

# Known to work entry by entry, apart from the softmax, which has a rule of its own.
ENTRYWISE_ACTIVATIONS = tuple(
    getattr(keras.activations, name)
    for name in (
        "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_tanh "
        "leaky_relu log_sigmoid mish relu relu6 selu sigmoid silu soft_shrink softmax "
        "softplus softsign sparse_plus sparse_sigmoid squareplus tanh tanh_shrink "
        "threshold"
    ).split()
    if hasattr(keras.activations, name)
)
LARGEST = 2**22  # entries of an input that is tried
TOLERANCE = 1e-4


def kind_of_function(function: Callable[[Any], Any], tensor: Any) -> str:
    """Tries a function of one tensor.

    Args:
        function: From a tensor to a tensor.
        tensor: A symbolic tensor like its input.

    Returns:
        `"Entrywise"`, `"Softmax"` (over the last axis), `"Linear"`, `"Affine"` (linear
        with a constant), or `""`.
    """
    shape = tuple(tensor.shape)
    if None in shape or np.prod(shape) > LARGEST or "float" not in str(tensor.dtype):
        return ""
    rng = np.random.default_rng(0)

    def call(x: np.ndarray) -> np.ndarray:
        y = function(ops.convert_to_tensor(x.astype(np.float32)))
        if "float" not in keras.backend.standardize_dtype(y.dtype):
            raise TypeError("what comes out has no derivative")
        return np.asarray(ops.convert_to_numpy(y), np.float64)

    try:
        x, other = rng.normal(size=(2, *shape))
        y = call(x)
        if y.ndim == 0 or y.shape[0] != shape[0] or y.dtype.kind != "f":
            return ""
        if y.shape == shape and is_softmax(x, y):
            return "Softmax"
        if y.shape == shape and _is_entrywise(call, x, y, rng):
            return "Entrywise"
        zero = call(np.zeros(shape))
        expected = 2 * (y - zero) - 3 * (call(other) - zero) + zero
        if _close(call(2 * x - 3 * other), expected) and np.isfinite(zero).all():
            return "Affine" if np.abs(zero).max() > 0 else "Linear"
    except Exception:  # a function of the user's that these inputs do not suit
        return ""
    return ""


def is_softmax(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether y is the softmax of x over the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return x.shape[-1] > 1 and _close(y, e / e.sum(-1, keepdims=True))


def _is_entrywise(
    call: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator,
) -> bool:
    """Whether entries that stay have the same result, whatever the others do."""
    for fraction in (0.5, 0.02, 0.98) * 2:
        changed = rng.random(x.shape) < fraction
        changed.flat[rng.integers(x.size)] = True
        moved = np.where(changed, 5 * rng.normal(size=x.shape) + 2, x)
        if not _close(np.where(changed, 0, call(moved)), np.where(changed, 0, y)):
            return False
    return True


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two results agree to rounding, NaN in the same places."""
    size = np.nanmax(np.abs(other), initial=1.0)
    return bool(
        np.allclose(one, other, rtol=TOLERANCE, atol=1e-6 * size, equal_nan=True)
    )
