"""Checks of tutorial 9: how good is a map?"""

import numpy as np

from medattn.teaching.errors import NotYet, Solution, call_solution, expect_close


def relevance_mass(function: Solution) -> str:
    """`relevance_mass(relevance, mask)`: fraction of |R| inside the evidence."""
    relevance = np.array([[1.0, -2.0], [3.0, -4.0]])
    mask = np.array([[False, True], [True, False]])
    found = call_solution(function, relevance, mask)
    if np.isclose(found, 1 / -2, atol=1e-6):
        raise NotYet(
            "Relevance for and against cancelled. Hint: take |R| first, then sum."
        )
    expect_close(found, 0.5, "sum |R| where the mask is true, over the sum of all |R|.")
    rng = np.random.default_rng(9)
    relevance, mask = rng.normal(size=(8, 8)), rng.random((8, 8)) < 0.2
    inside = sum(abs(r) for r, m in zip(relevance.flat, mask.flat, strict=True) if m)
    total = sum(abs(r) for r in relevance.flat)
    expect_close(
        call_solution(function, relevance, mask),
        inside / total,
        "see the formula above.",
    )
    return "your fraction is the relevance mass accuracy of Arras et al."


def rank_correlation(function: Solution) -> str:
    """`rank_correlation(one, other)`: Spearman's, over all pixels."""
    from scipy.stats import spearmanr

    rng = np.random.default_rng(10)
    one, other = rng.normal(size=(2, 9, 9))
    hint = "rank all pixels of each map (scipy.stats.rankdata), then Pearson's r."
    expect_close(call_solution(function, one, np.exp(one)), 1.0, hint)
    expected = spearmanr(one.ravel(), other.ravel()).statistic
    expect_close(call_solution(function, one, other), expected, hint)
    return "your correlation depends on the order of the pixels alone."
