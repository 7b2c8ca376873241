"""Judges of tutorial 2b: a drawn place, and how much of a gaze lies in a mask."""

import numpy as np

from medattn.teaching.errors import NotYet, call, close


def hard_answer(function):
    """`hard_answer(scores, values, luck)`: the value of the place that luck draws."""
    scores = np.array([0.2, 0.5, 0.0, 0.3])
    values = np.array([[1.0, 0.0], [0.0, 2.0], [9.0, 9.0], [-1.0, 4.0]])
    if np.allclose(call(function, scores, values, 0.1), scores @ values):
        raise NotYet("That is the soft answer. Hint: one place, and its value alone.")
    for luck, place in ((0.0, 0), (0.1, 0), (0.3, 1), (0.69, 1), (0.71, 3), (0.99, 3)):
        close(
            call(function, scores, values, luck),
            values[place],
            "lay the scores end to end, from 0 to 1, and see in which of them luck "
            "falls: np.cumsum.",
        )
    even = (np.arange(1000) + 0.5) / 1000
    mean = np.mean([call(function, scores, values, luck) for luck in even], axis=0)
    close(mean, scores @ values, "the mean over all luck is the soft answer.")
    return "one place at a time, and on average the soft answer."


def mass_in_mask(function):
    """`mass_in_mask(scores, mask)`: share of a coarse gaze inside a fine mask."""
    rng = np.random.default_rng(21)
    scores = rng.random((2, 3))
    scores /= scores.sum()
    mask = rng.random((8, 12)) < 0.3
    expected = 0.0
    for row in range(8):
        for column in range(12):
            if mask[row, column]:  # a field holds 4 x 4 pixels
                expected += scores[row // 4, column // 4] / 16
    found = call(function, scores, mask)
    if np.isclose(found, 16 * expected):
        raise NotYet(
            "A field's score is counted once a pixel. Hint: share it among its pixels."
        )
    close(found, expected, "enlarge the scores with np.kron, and divide by their sum.")
    full = call(function, scores, np.ones((8, 12), bool))
    close(full, 1.0, "a mask over everything holds the whole gaze.")
    return "shares of a gaze, which an even gaze would have by the area alone."
