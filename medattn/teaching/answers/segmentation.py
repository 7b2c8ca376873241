"""Judges of tutorial 5: Dice, and the gate of a skip connection."""

import math

import numpy as np

from medattn.teaching.errors import NotYet, call, close


def dice(function):
    """`dice(predicted, truth)`: one number an image."""
    predicted, truth = np.zeros((2, 4, 2, 2), bool)
    predicted[0, 0] = truth[0, :, 0] = True  # one shared pixel of two and two
    truth[1, 1, 1] = True  # missed
    predicted[2] = truth[2] = True
    found = call(function, predicted, truth)
    if np.shape(found) == (4,) and not np.isfinite(found).all():
        raise NotYet("Two empty masks give no number. Hint: nothing was missed, so 1.")
    close(
        found,
        [0.5, 0.0, 1.0, 1.0],
        "twice the shared pixels over the sum of both sizes, image by image.",
    )
    return "an empty answer scores 0 where there is something, and 1 where nothing is."


def skip_scores(function):
    """`skip_scores(x, g, W_x, W_g, b, v, c)`: one weight a place."""
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
    close(
        call(function, x, g, W_x, W_g, b, v, c),
        expected,
        "add both maps and b, ReLU, times v, plus c, then the sigmoid.",
    )
    return "your gate lets the coarse map ask, and the fine one answer."
