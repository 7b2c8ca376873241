"""Checks of tutorial 2: additive and local attention in numpy."""

import math

import numpy as np

from medattn.teaching.errors import NotYet, Solution, call_solution, expect_close


def additive_scores(function: Solution) -> str:
    """`additive_scores(query, values, W, U, v)`: Bahdanau's, for one query."""
    rng = np.random.default_rng(11)
    query, values = rng.normal(size=4), rng.normal(size=(5, 3))
    W, U, v = rng.normal(size=(4, 2)), rng.normal(size=(3, 2)), rng.normal(size=2)
    fits = []
    for h in values:
        hidden = [
            math.tanh(
                sum(query[i] * W[i, u] for i in range(4))
                + sum(h[j] * U[j, u] for j in range(3))
            )
            for u in range(2)
        ]
        fits.append(sum(v[u] * hidden[u] for u in range(2)))
    total = sum(math.exp(fit) for fit in fits)
    found = call_solution(function, query, values, W, U, v)
    if np.shape(found) == (5,) and not np.isclose(np.sum(found), 1):
        raise NotYet("The scores do not sum to one. Hint: a softmax over the values.")
    expect_close(
        found,
        [math.exp(fit) / total for fit in fits],
        "tanh of the sum of both maps, times v, then the softmax.",
    )
    return "your fit is Bahdanau's, and the scores sum to one."


def local_scores(function: Solution) -> str:
    """`local_scores(fit, p, D)`: Luong's, within a window."""
    fit = np.array([0.5, -1.0, 2.0, 0.0, 1.0, 3.0])
    p, D = 1.5, 2
    near = [0, 1, 2, 3]  # |s - 1.5| <= 2
    total = sum(math.exp(fit[s]) for s in near)
    expected = np.zeros(6)
    for s in near:
        expected[s] = math.exp(fit[s]) / total * math.exp(-((s - p) ** 2) / 2)
    found = call_solution(function, fit, p, D)
    if np.shape(found) == (6,) and np.any(np.asarray(found)[4:] != 0):
        raise NotYet("Words outside the window get exactly 0. Hint: |s - p| <= D.")
    expect_close(
        found,
        expected,
        "softmax over the window only; then the Gaussian with sigma = D / 2, without "
        "normalising again.",
    )
    return "your window is Luong's, with a Gaussian that makes p learnable."
