"""Judges of tutorial 8: what a table of results can bear."""

import numpy as np

from medattn.teaching.errors import NotYet, call, close


def majority(function):
    """`majority(labels)`: accuracy of always naming the commoner class."""
    hint = "the larger of the share of ones and the share of zeros."
    close(call(function, np.array([0, 0, 0, 1])), 0.75, hint)
    close(call(function, np.array([1, 1, 1, 1, 0])), 0.8, hint)
    return "whoever is below this line has learnt less than a stamp."


def paired_interval(function):
    """`paired_interval(first, second)`: mean difference, and its 95% interval."""
    first = np.array([0.90, 0.93, 0.88, 0.95])
    second = np.array([0.89, 0.90, 0.88, 0.91])
    found = call(function, first, second)
    if np.shape(found) != (3,):
        raise NotYet("Three numbers are asked for: mean, low, high.")
    d = [a - b for a, b in zip(first, second, strict=True)]
    mean = sum(d) / 4
    spread = (sum((each - mean) ** 2 for each in d) / 3) ** 0.5
    reach = 3.1824463 * spread / 2  # Student's t with 3 degrees of freedom, 97.5%
    close(
        found,
        [mean, mean - reach, mean + reach],
        "take differences first; then mean ± t(0.975, n - 1) * s / sqrt(n), where s "
        "divides by n - 1 (ddof=1).",
        tolerance=1e-4,
    )
    return "pairs of one seed are compared, not crowds."
