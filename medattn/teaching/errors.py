"""What a check raises while an exercise is unsolved, and two helpers of all checks."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

Solution: TypeAlias = Callable[..., Any]  # the function that a learner wrote


class NotYet(ValueError):
    """An exercise that is not solved yet; the message ends with a hint."""

    def _render_traceback_(self) -> list[str]:
        """Returns what a notebook shows: the hint alone, without a traceback."""
        return [f"Not yet. {self}"]


def call_solution(function: Solution, *args: Any) -> Any:
    """Calls what a learner wrote, and returns its value.

    Raises:
        NotYet: If it is no function, or a function that returns nothing.
    """
    if not callable(function):
        raise NotYet(
            "This exercise needs a function. Expected something that can be called. "
            f"Received: {type(function).__name__}"
        )
    value = function(*args)
    if value is None or value is ...:
        raise NotYet("The function returns nothing yet. Fill it in, and `return`.")
    return value


def expect_close(
    value: ArrayLike, expected: ArrayLike, hint: str, *, tolerance: float = 1e-5
) -> None:
    """Compares the learner's array or number with the expected one.

    Args:
        value: What the learner's function returned.
        expected: The same, computed in another way.
        hint: The end of the message if they differ.
        tolerance: Allowed difference, relative and absolute.

    Raises:
        NotYet: If the shapes or the numbers differ.
    """
    value, expected = np.asarray(value, float), np.asarray(expected, float)
    if value.shape != expected.shape:
        raise NotYet(
            f"The shape is wrong. Expected {expected.shape}. Received: "
            f"{value.shape}. Hint: {hint}"
        )
    if not np.allclose(value, expected, rtol=tolerance, atol=tolerance):
        worst = np.nanmax(np.abs(value - expected))
        raise NotYet(
            f"The numbers are wrong by up to {worst:.3g}, compared with a second, "
            f"slower computation. Hint: {hint}"
        )
