"""Two regions of an image laid over one another: how much do they share?"""

from collections import namedtuple

import numpy as np

from medattn.explain.metrics.localisation import pixel_map

Overlap = namedtuple("Overlap", "iou of_first of_second")


def top_region(relevance, count, *, channels="sum", sign="absolute", seed=0):
    """Marks the most relevant pixels of a map, so that it can be held to a region.

    Args:
        relevance: `(height, width, channels)` or `(height, width)`, one map.
        count: How many pixels to mark, such as the size of the evidence.
        channels: See `pixel_map`.
        sign: See `pixel_map`.
        seed: Of pixels with equal relevance, chance takes which.

    Returns:
        `(height, width)`, bool, with `count` pixels marked.

    Raises:
        ValueError: If the map has not so many pixels.
    """
    size = pixel_map(np.asarray(relevance)[None], channels=channels, sign=sign)[0]
    whole = isinstance(count, int | np.integer) and not isinstance(count, bool)
    if not whole or not 0 <= count <= size.size:
        raise ValueError(
            "The map has not so many pixels. Expected a count from 0 to "
            f"{size.size}. Received: count={count!r}"
        )
    chance = np.random.default_rng(seed).random(size.size)
    order = np.lexsort((chance, -size.ravel()))
    marked = np.zeros(size.size, bool)
    marked[order[:count]] = True
    return marked.reshape(size.shape)


def overlap(first, second):
    """Measures how far two regions agree.

    `iou = |A and B| / |A or B|`, and what share of each lies in the other.

    Args:
        first: A, `(height, width)`, bool.
        second: B, same shape.

    Returns:
        An `Overlap`: `iou`; `of_first`, the share of A inside B; `of_second`, the share
        of B inside A; each in [0, 1], or NaN where that region is empty.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape:
        raise ValueError(
            "The regions are not of one image. Expected masks of one shape. Received: "
            f"{first.shape} and {second.shape}"
        )
    both, either = (first & second).sum(), (first | second).sum()
    return Overlap(
        _share(both, either), _share(both, first.sum()), _share(both, second.sum())
    )


def _share(part, whole):
    return float(part / whole) if whole else float("nan")
