"""Checks of tutorial 5: Dice, and the gate of a skip connection."""

import math

import numpy as np

from medattn.teaching.errors import NotYet, Solution, call_solution, expect_close


def dice(function: Solution) -> str:
    """`dice(predicted, truth)`: one number an image."""
    predicted, truth = np.zeros((2, 4, 2, 2), bool)
    predicted[0, 0] = truth[0, :, 0] = True  # one shared pixel of two and two
    truth[1, 1, 1] = True  # missed
    predicted[2] = truth[2] = True
    found = call_solution(function, predicted, truth)
    if np.shape(found) == (4,) and not np.isfinite(found).all():
        raise NotYet("Two empty masks give 0 / 0. Hint: nothing was missed, so 1.")
    expect_close(
        found,
        [0.5, 0.0, 1.0, 1.0],
        "twice the shared pixels over the sum of both sizes, image by image.",
    )
    return "an empty prediction scores 0 if there is a lesion, and 1 if there is none."


def skip_scores(function: Solution) -> str:
    """`skip_scores(x, g, W_x, W_g, b, v, c)`: one weight a position."""
    rng = np.random.default_rng(13)
    x, g = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 5))
    W_x, W_g = rng.normal(size=(4, 2)), rng.normal(size=(5, 2))
    b, v, c = rng.normal(size=2), rng.normal(size=2), 0.3
    expected = np.zeros((2, 3))
    for i in range(2):
        for j in range(3):
            z = c
            for u in range(2):
                h = b[u] + sum(x[i, j, k] * W_x[k, u] for k in range(4))
                h += sum(g[i, j, k] * W_g[k, u] for k in range(5))
                z += v[u] * max(h, 0.0)
            expected[i, j] = 1 / (1 + math.exp(-z))
    expect_close(
        call_solution(function, x, g, W_x, W_g, b, v, c),
        expected,
        "add both maps and b, ReLU, times v, plus c, then the sigmoid.",
    )
    return "your gate weights the fine map by a query from the coarse map."
