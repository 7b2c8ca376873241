"""What a check raises: not right yet, with a hint."""


class NotYet(ValueError):
    """An exercise that is not solved yet; the message ends with a hint."""

    def _render_traceback_(self):
        """What a notebook shows: the hint alone, without the way to it."""
        return [f"Not yet. {self}"]


def call(function, *args):
    """Calls what a learner wrote, and tells an empty function from a wrong one."""
    if not callable(function):
        raise NotYet(
            "A function is asked for. Expected something that can be called. "
            f"Received: {type(function).__name__}"
        )
    value = function(*args)
    if value is None or value is ...:
        raise NotYet("The function returns nothing yet. Fill it in, and `return`.")
    return value


def close(value, expected, hint, *, tolerance=1e-5):
    """Compares arrays or numbers; what differs is told with the hint."""
    import numpy as np

    value, expected = np.asarray(value, float), np.asarray(expected, float)
    if value.shape != expected.shape:
        raise NotYet(
            f"The shape is another. Expected {expected.shape}. Received: "
            f"{value.shape}. Hint: {hint}"
        )
    if not np.allclose(value, expected, rtol=tolerance, atol=tolerance):
        worst = np.nanmax(np.abs(value - expected))
        raise NotYet(
            f"The numbers differ, by {worst:.3g} at most, from those of a second, "
            f"slower way to the same thing. Hint: {hint}"
        )
