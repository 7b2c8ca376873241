"""Numerical helpers that the metrics share."""

from typing import Any, TypeGuard

import numpy as np


def is_integer(value: Any) -> TypeGuard[int]:
    """Whether a value is an integer, of Python or numpy; a bool is not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def safe_ratio(a: Any, b: Any) -> np.ndarray:
    """Divides `a` by `b`, and by one where `b` is zero."""
    return a / np.where(b == 0, 1, b)


def nan_unless(known: Any, values: Any) -> np.ndarray:
    """Replaces values by NaN where they are not known."""
    return np.where(known, values, np.nan)


def norm(maps: np.ndarray) -> np.ndarray:
    """Computes the Euclidean norm of each map, `(batch,)`."""
    return np.sqrt((maps.reshape(len(maps), -1) ** 2).sum(axis=1))
