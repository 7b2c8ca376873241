"""Checks of tutorial 8: what a table of results can show."""

import numpy as np

from medattn.teaching.errors import NotYet, Solution, call_solution, expect_close


def majority(function: Solution) -> str:
    """`majority(labels)`: accuracy of always predicting the majority class."""
    hint = "the larger of the fraction of ones and the fraction of zeros."
    expect_close(call_solution(function, np.array([0, 0, 0, 1])), 0.75, hint)
    expect_close(call_solution(function, np.array([1, 1, 1, 1, 0])), 0.8, hint)
    return "a network below this accuracy is worse than a constant prediction."


def paired_interval(function: Solution) -> str:
    """`paired_interval(first, second)`: mean difference, and its 95% interval."""
    first = np.array([0.90, 0.93, 0.88, 0.95])
    second = np.array([0.89, 0.90, 0.88, 0.91])
    found = call_solution(function, first, second)
    if np.shape(found) != (3,):
        raise NotYet("The result should be three numbers: mean, low, high.")
    d = [a - b for a, b in zip(first, second, strict=True)]
    mean = sum(d) / 4
    spread = (sum((each - mean) ** 2 for each in d) / 3) ** 0.5
    margin = 3.1824463 * spread / 2  # Student's t with 3 degrees of freedom, 97.5%
    expect_close(
        found,
        [mean, mean - margin, mean + margin],
        "take differences first; then mean ± t(0.975, n - 1) * s / sqrt(n), where s "
        "divides by n - 1 (ddof=1).",
        tolerance=1e-4,
    )
    return "the networks are compared seed by seed."
