"""In how many digits an explanation is reckoned: single precision, or double."""

import contextlib
import contextvars

import keras
import numpy as np

PRECISIONS = ("auto", "float32", "float64")
SINGLE, DOUBLE = "float32", "float64"
# Absolute relevance over its sum from which single precision is not trusted: measured,
# it misses up to 1e-7 of the absolute, so here 3e-5 of the sum.
DOUBTFUL = 300

_working = contextvars.ContextVar("working", default=SINGLE)


def working():
    """Returns the precision in which weights are read and constants are made."""
    return _working.get()


@contextlib.contextmanager
def reckoned_in(precision):
    """Reckons what is inside in one precision."""
    token = _working.set(precision)
    try:
        yield
    finally:
        _working.reset(token)


def has_double():
    """Whether the backend can: on JAX and torch Keras makes float32 of float64."""
    return keras.backend.backend() == "tensorflow"


def with_digits(arrays, precision):
    """Writes all floating-point arrays of a nest in a precision."""

    def one(array):
        array = np.asarray(array)
        return array.astype(precision) if array.dtype.kind == "f" else array

    return keras.tree.map_structure(one, arrays)


def checked_precision(precision):
    """Refuses a precision that is none."""
    if precision not in PRECISIONS:
        raise ValueError(
            f"Unknown precision. Expected one of {PRECISIONS}. "
            f"Received: precision={precision!r}"
        )
    if precision == DOUBLE and not has_double():
        raise ValueError(
            "Double precision is not to be had: on JAX and torch Keras makes float32 "
            "of what is wider. Expected precision='auto' or 'float32', or "
            f"KERAS_BACKEND=tensorflow. Received: precision={precision!r}, and the "
            f"backend {keras.backend.backend()!r}"
        )


def cancelled(maps, total):
    """Tells for each sample how many times its relevance is larger than its sum.

    Args:
        maps: Arrays `(batch, ...)`, of relevance.
        total: What they sum to, `(batch,)`.

    Returns:
        The sum of absolute relevance over the absolute total, `(batch,)`; infinite
        where relevance sums to nothing.
    """
    sizes = sum(np.abs(m).sum(tuple(range(1, m.ndim)), dtype=np.float64) for m in maps)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sizes > 0, sizes / np.abs(np.asarray(total, np.float64)), 0.0)


def reckoned(call, arrays, precision, doubtful):
    """Calls in one precision, or in single and for some samples again in double.

    Args:
        call: Takes `arrays` and `precision`; returns a nest of arrays `(batch, ...)`,
            where one sample's entries do not depend on another's.
        arrays: A nest of arrays `(batch, ...)`.
        precision: `"float32"` or `"float64"`; or `"auto"`, to let `doubtful` decide
            where the backend has double precision.
        doubtful: A function from what single precision found to `(batch,)`, whether a
            sample has lost too many digits.

    Returns:
        What the call returns; and `(batch,)`, which samples were reckoned in double.
    """
    batch = len(keras.tree.flatten(arrays)[0])
    if precision != "auto":
        found = call(*arrays, precision=precision)
        return found, np.full(batch, precision == DOUBLE)
    found = call(*arrays, precision=SINGLE)
    again = np.asarray(doubtful(found), bool) & has_double()
    if again.any():
        some = keras.tree.map_structure(lambda array: array[again], arrays)
        better = call(*some, precision=DOUBLE)

        def merged(single, double):
            both = np.array(single, double.dtype)
            both[again] = double
            return both

        found = keras.tree.map_structure(merged, found, better)
    return found, again
