"""The precision in which an explanation is computed: single, or double."""

import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from typing import Literal

import keras
import numpy as np

Precision = Literal["float32", "float64"]
SINGLE: Precision = "float32"
DOUBLE: Precision = "float64"
PRECISIONS = ("auto", SINGLE, DOUBLE)
# Absolute relevance over its sum from which single precision is not trusted: measured,
# it misses up to 1e-7 of the absolute, so here 3e-5 of the sum.
MAX_CANCELLATION = 300

_working: contextvars.ContextVar[Precision] = contextvars.ContextVar(
    "working", default=SINGLE
)


def working_precision() -> Precision:
    """Returns the precision in which weights are read and constants are made."""
    return _working.get()


@contextlib.contextmanager
def use_precision(precision: Precision) -> Iterator[None]:
    """Sets the working precision for what is computed inside."""
    token = _working.set(precision)
    try:
        yield
    finally:
        _working.reset(token)


def has_double() -> bool:
    """Whether the backend computes in double: on JAX and torch Keras casts it down."""
    return keras.backend.backend() == "tensorflow"


def check_precision(precision: str) -> None:
    """Refuses an unknown precision, and double where the backend lacks it."""
    if precision not in PRECISIONS:
        raise ValueError(
            f"Unknown precision. Expected one of {PRECISIONS}. "
            f"Received: precision={precision!r}"
        )
    if precision == DOUBLE and not has_double():
        raise ValueError(
            "Double precision is not available: on JAX and torch Keras makes float32 "
            "of what is wider. Expected precision='auto' or 'float32', or "
            f"KERAS_BACKEND=tensorflow. Received: precision={precision!r}, and the "
            f"backend {keras.backend.backend()!r}"
        )


def cancellation(maps: Sequence[np.ndarray], total: np.ndarray) -> np.ndarray:
    """Measures for each sample how many times its relevance is larger than its sum.

    Args:
        maps: Arrays `(batch, ...)`, of relevance.
        total: What they sum to, `(batch,)`.

    Returns:
        The sum of absolute relevance over the absolute total, `(batch,)`; infinite
        where relevance sums to zero.
    """
    sizes = sum(np.abs(m).sum(tuple(range(1, m.ndim)), dtype=np.float64) for m in maps)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sizes > 0, sizes / np.abs(np.asarray(total, np.float64)), 0.0)
