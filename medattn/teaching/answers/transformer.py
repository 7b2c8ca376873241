"""Checks of tutorial 4: patches, and one head of attention."""

import math

import numpy as np

from medattn.teaching.errors import NotYet, Solution, call_solution, expect_close


def patches(function: Solution) -> str:
    """`patches(image, size)`: flattened squares, row by row."""
    image = np.arange(4 * 6 * 2.0).reshape(4, 6, 2)
    expected = [
        [image[2 * r + i, 2 * c + j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
        for r in range(2)
        for c in range(3)
    ]
    found = call_solution(function, image, 2)
    if np.shape(found) == (6, 8) and not np.allclose(found, expected):
        raise NotYet(
            "The shape is right, the pixels are mixed up. Hint: a single reshape cuts "
            "rows into strips; swap the two middle axes before the second reshape."
        )
    expect_close(found, expected, "a 4 x 6 image in squares of 2 gives 2 x 3 patches.")
    return "your tokens are the patches, row by row."


def attention_head(function: Solution) -> str:
    """`attention_head(x, W_query, W_key, W_value)`: scores and answers."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4, 6))
    W_query, W_key, W_value = rng.normal(size=(3, 6, 3))
    found = call_solution(function, x, W_query, W_key, W_value)
    if not isinstance(found, tuple) or len(found) != 2:
        raise NotYet("The function should return two arrays: `return scores, answers`.")
    scores, answers = np.zeros((4, 4)), np.zeros((4, 3))
    for i in range(4):
        fits = [(x[i] @ W_query) @ (x[j] @ W_key) / math.sqrt(3) for j in range(4)]
        total = sum(math.exp(fit) for fit in fits)
        for j in range(4):
            scores[i, j] = math.exp(fits[j]) / total
            answers[i] += scores[i, j] * (x[j] @ W_value)
    if np.shape(found[0]) == (4, 4) and not np.allclose(np.sum(found[0], axis=1), 1):
        raise NotYet(
            "The rows do not sum to one. Hint: the softmax runs along axis 1, the keys."
        )
    expect_close(
        found[0],
        scores,
        "divide by the square root of the query's length d, not of dim.",
    )
    expect_close(found[1], answers, "answers are scores @ value.")
    large = call_solution(function, 1e3 * x, W_query, W_key, W_value)[0]
    if not np.isfinite(large).all():
        raise NotYet(
            "Large inputs overflow. Hint: subtract the maximum of each row before exp."
        )
    return "each row sums to one, and large inputs do not overflow."
