"""Checks of tutorial 2b: a sampled position, and the attention inside a mask."""

import numpy as np

from medattn.teaching.errors import NotYet, Solution, call_solution, expect_close


def hard_answer(function: Solution) -> str:
    """`hard_answer(scores, values, u)`: the value of the position that u samples."""
    scores = np.array([0.2, 0.5, 0.0, 0.3])
    values = np.array([[1.0, 0.0], [0.0, 2.0], [9.0, 9.0], [-1.0, 4.0]])
    if np.allclose(call_solution(function, scores, values, 0.1), scores @ values):
        raise NotYet(
            "That is the soft answer. Hint: one position, and its value alone."
        )
    for u, position in ((0.0, 0), (0.1, 0), (0.3, 1), (0.69, 1), (0.71, 3), (0.99, 3)):
        expect_close(
            call_solution(function, scores, values, u),
            values[position],
            "put the scores end to end, from 0 to 1, and find the one into which u "
            "falls: np.cumsum.",
        )
    uniform = (np.arange(1000) + 0.5) / 1000
    answers = [call_solution(function, scores, values, u) for u in uniform]
    mean = np.mean(answers, axis=0)
    expect_close(mean, scores @ values, "the mean over all u is the soft answer.")
    return "one position at a time, and the soft answer on average."


def mass_in_mask(function: Solution) -> str:
    """`mass_in_mask(scores, mask)`: fraction of attention inside a finer mask."""
    rng = np.random.default_rng(21)
    scores = rng.random((2, 3))
    scores /= scores.sum()
    mask = rng.random((8, 12)) < 0.3
    expected = 0.0
    for row in range(8):
        for column in range(12):
            if mask[row, column]:  # a cell has 4 x 4 pixels
                expected += scores[row // 4, column // 4] / 16
    found = call_solution(function, scores, mask)
    if np.isclose(found, 16 * expected):
        raise NotYet(
            "A cell's score is counted once for each pixel. Hint: divide it among its "
            "pixels."
        )
    expect_close(
        found, expected, "enlarge the scores with np.kron, and divide by their sum."
    )
    full = call_solution(function, scores, np.ones((8, 12), bool))
    expect_close(full, 1.0, "a mask over the whole image contains all attention.")
    return (
        "the fraction of attention in the mask; uniform attention has the mask's area."
    )
