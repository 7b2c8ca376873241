"""Automatic checks of the exercises, each with a hint that does not give it away."""

from medattn.teaching.answers import relevance
from medattn.teaching.notyet import NotYet

__all__ = ["CHECKS", "NotYet", "check"]

# From the name of an exercise to what judges it: it returns what has been shown, or
# raises NotYet. A dict to print: a teacher sees at once what there is.
CHECKS = {
    "07.lrp_step": relevance.lrp_step,
    "07.rescale": relevance.rescale,
}


def check(name, value):
    """Checks an exercise, and says what is shown or what is still missing.

    Args:
        name: Of the exercise, one of `CHECKS`, such as `"07.lrp_step"`.
        value: What the learner wrote: a function, mostly.

    Raises:
        NotYet: If it is not right yet; the message ends with a hint.
        ValueError: If there is no such exercise.
    """
    if name not in CHECKS:
        raise ValueError(
            f"Unknown exercise {name!r}. Expected one of {list(CHECKS)}. "
            f"Received: name={name!r}"
        )
    if value is ...:
        raise NotYet("Nothing is written here yet. Replace the three dots.")
    print(f"✓ {name}: {CHECKS[name](value)}")
