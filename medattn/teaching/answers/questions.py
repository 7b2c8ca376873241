"""Judges of tutorial 11: how many seeds, and do maps agree?"""

import math

import numpy as np

from medattn.teaching.errors import NotYet, call, close


def seeds_needed(function):
    """`seeds_needed(difference, spread)`: paired seeds, a whole number."""
    for difference, spread in ((0.01, 0.02), (-0.01, 0.02), (0.005, 0.012)):
        found = call(function, difference, spread)
        expected = math.ceil((2.8 * spread / abs(difference)) ** 2)
        if found != expected:
            raise NotYet(
                f"For a difference of {difference} and a spread of {spread} expected "
                f"{expected}. Received: {found}. Hint: square at the end, round up, "
                "and a difference may be negative."
            )
    if call(function, 1.0, 0.01) != 6:
        raise NotYet("Six is the floor: 2 ** (1 - 5) is larger than 0.05.")
    return "small differences are dear: half the difference takes four times the seeds."


def agreement(function):
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
    close(
        call(function, first, second),
        np.mean(expected),
        "one correlation an image, then their mean; not one over all pixels of all.",
    )
    return "your agreement counts each image once."
