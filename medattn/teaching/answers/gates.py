"""Checks of tutorial 3: the gates in numpy."""

import math

import numpy as np

from medattn.teaching.errors import Solution, call_solution, expect_close


def squeeze_excite(function: Solution) -> str:
    """`squeeze_excite(x, W1, W2)`: one weight a channel, `(channels,)`."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5, 4, 6))
    W1, W2 = rng.normal(size=(6, 2)), rng.normal(size=(2, 6))
    expected = []
    means = [sum(x[i, j, c] for i in range(5) for j in range(4)) / 20 for c in range(6)]
    hidden = [max(0.0, sum(means[c] * W1[c, h] for c in range(6))) for h in range(2)]
    for c in range(6):
        z = sum(hidden[h] * W2[h, c] for h in range(2))
        expected.append(1 / (1 + math.exp(-z)))
    expect_close(
        call_solution(function, x, W1, W2),
        expected,
        "squeeze: the mean over height and width, not over channels; then W1, ReLU, W2 "
        "and the sigmoid, in this order.",
    )
    return "your gate is equations 2 and 3 of Hu et al."


def spatial_scores(function: Solution) -> str:
    """`spatial_scores(x, kernel)`: one weight a position, `(height, width)`."""
    rng = np.random.default_rng(4)
    x, kernel = rng.normal(size=(6, 5, 3)), rng.normal(size=(3, 3, 2))
    expected = np.zeros((6, 5))
    for i in range(6):
        for j in range(5):
            z = 0.0
            for di in range(3):
                for dj in range(3):
                    row, column = i + di - 1, j + dj - 1
                    if 0 <= row < 6 and 0 <= column < 5:
                        z += kernel[di, dj, 0] * max(x[row, column])
                        z += kernel[di, dj, 1] * sum(x[row, column]) / 3
            expected[i, j] = 1 / (1 + math.exp(-z))
    expect_close(
        call_solution(function, x, kernel),
        expected,
        "first the maximum, then the mean over channels; pad with zeros, so that the "
        "size stays; a convolution layer does not flip its kernel.",
    )
    return "your gate weights each position by its neighbourhood."
