"""Checks of tutorial 11: how many seeds, and do maps agree?"""

import math

import numpy as np

from medattn.teaching.errors import NotYet, Solution, call_solution, expect_close


def seeds_needed(function: Solution) -> str:
    """`seeds_needed(difference, spread)`: paired seeds, a whole number."""
    for difference, spread in ((0.01, 0.02), (-0.01, 0.02), (0.005, 0.012)):
        found = call_solution(function, difference, spread)
        expected = math.ceil((2.8 * spread / abs(difference)) ** 2)
        if found != expected:
            raise NotYet(
                f"For a difference of {difference} and a spread of {spread} expected "
                f"{expected}. Received: {found}. Hint: square at the end, round up, "
                "and a difference may be negative."
            )
    if call_solution(function, 1.0, 0.01) != 6:
        raise NotYet("Six is the minimum: 2 ** (1 - 5) is larger than 0.05.")
    return "half the difference needs four times as many seeds."


def agreement(function: Solution) -> str:
    """`agreement(first, second)`: mean Spearman correlation, image by image."""
    from scipy.stats import rankdata

    rng = np.random.default_rng(12)
    first, second = rng.normal(size=(2, 3, 5, 5))
    first[1] *= 1e3  # an image with larger numbers counts no more than another
    expected = []
    for a, b in zip(first, second, strict=True):
        a, b = rankdata(a.ravel()), rankdata(b.ravel())
        a, b = a - a.mean(), b - b.mean()
        expected.append((a @ b) / math.sqrt((a @ a) * (b @ b)))
    expect_close(
        call_solution(function, first, second),
        np.mean(expected),
        "one correlation for each image, then their mean; not one over all pixels.",
    )
    return "your agreement counts each image once."
