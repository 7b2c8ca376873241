"""Checks of tutorial 6: the sides of a report, and a contrastive loss."""

import math

import numpy as np

from medattn.teaching.errors import NotYet, Solution, call_solution, expect_close


def sides_right(function: Solution) -> str:
    """`sides_right(reports, truths)`: fraction of reports with the right sides."""
    truths = ["no effusion", "small effusion left", "large effusion right"]
    truths.append("small effusion left and large effusion right")
    reports = ["no effusion", "large effusion left", "large effusion left"]
    reports.append("large effusion right and medium effusion left")
    found = call_solution(function, reports, truths)
    if np.isclose(found, 0.25):
        raise NotYet("Only the sides count here. Hint: sizes may be wrong.")
    expect_close(found, 0.75, "compare two sets of words for each film.")
    missing = call_solution(function, ["small effusion left"], truths[3:])
    expect_close(missing, 0.0, "naming one of two sides is not enough.")
    return "a report with a wrong side counts as wrong."


def contrastive_loss(function: Solution) -> str:
    """`contrastive_loss(pictures, words, temperature)`: a number."""
    rng = np.random.default_rng(14)
    pictures, words = rng.normal(size=(2, 5, 3))
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    for temperature in (1.0, 0.2):
        expected = 0.0
        for i in range(5):
            fits = [math.exp(pictures[i] @ w / temperature) for w in words]
            expected -= math.log(fits[i] / sum(fits)) / 5
        found = call_solution(function, pictures, words, temperature)
        expect_close(
            found,
            expected,
            "softmax over the reports (axis 1), the log of the diagonal, its mean, and "
            "a minus sign.",
        )
    return "your loss is small when each film is nearest to its own report."
