"""What a map shows, in words, for those who do not see it."""

import numpy as np

from medattn_app.domain.cases import Case
from medattn_app.domain.labels import case_name, percent, probability_text
from medattn_app.domain.texts import Words
from medattn_app.service.answers import Answer


def describe_map(case: Case, answer: Answer, words: Words) -> str:
    """Says in a sentence what the map of an answer shows.

    Args:
        case: The image.
        answer: What a network answers about it.
        words: The texts.
    """
    probability = probability_text(answer.probability)
    name = case_name(case, words)
    if answer.relevance is None:
        return words("explore.alt_none", name=name, probability=probability)
    found = strongest_quarter(answer.relevance)
    if found is None:
        return words("explore.alt_zero", name=name, probability=probability)
    quarter, fraction = found
    return words(
        "explore.alt",
        name=name,
        fraction=percent(fraction),
        quarter=words(f"explore.quarter_{quarter}"),
        probability=probability,
    )


def describe_quarter(relevance: np.ndarray, words: Words) -> str:
    """Says in a few words where a map has most of its relevance."""
    found = strongest_quarter(relevance)
    if found is None:
        return words("where.none")
    quarter, fraction = found
    return words(
        "where.most",
        fraction=f"{fraction:.0%}",
        quarter=words(f"explore.quarter_{quarter}"),
    )


def strongest_quarter(relevance: np.ndarray) -> tuple[str, float] | None:
    """Finds the quarter of a map with most of its relevance, without its sign.

    Args:
        relevance: `(height, width)`; an odd last row or column belongs to no quarter.

    Returns:
        The quarter as row and column, such as `"01"` for the upper right, and its
        fraction of the relevance; None if there is none anywhere.
    """
    size = np.abs(np.asarray(relevance, float))
    height, width = (length // 2 for length in size.shape)
    quarters = {
        f"{row}{column}": size[
            row * height : (row + 1) * height, column * width : (column + 1) * width
        ].sum()
        for row in (0, 1)
        for column in (0, 1)
    }
    total = sum(quarters.values())
    if not total:
        return None
    quarter = max(quarters, key=lambda key: quarters[key])
    return quarter, float(quarters[quarter] / total)


def signed_number(value: float) -> str:
    """Writes a number with its sign and two digits after the point."""
    return f"{value:+.2f}".replace("-", "−")
