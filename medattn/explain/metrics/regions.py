"""The most relevant region of a map, and the overlap of two regions."""

from typing import NamedTuple

import numpy as np

from medattn.explain.metrics.numeric import is_integer
from medattn.explain.metrics.pixel_maps import Channels, Sign, pixel_map


class Overlap(NamedTuple):
    """How far two regions agree; see `overlap`."""

    iou: float
    of_first: float
    of_second: float


def top_region(
    relevance: np.ndarray,
    count: int,
    *,
    channels: Channels = "sum",
    sign: Sign = "absolute",
    seed: int = 0,
) -> np.ndarray:
    """Selects the most relevant pixels of a map, to compare them with a region.

    Args:
        relevance: `(height, width, channels)` or `(height, width)`, one map.
        count: Number of pixels, such as the size of the evidence.
        channels: See `pixel_map`.
        sign: See `pixel_map`.
        seed: Seed of the random order of pixels with the same relevance.

    Returns:
        `(height, width)`, bool, with `count` pixels selected.

    Raises:
        ValueError: If the map has fewer pixels.
    """
    pixels = pixel_map(np.asarray(relevance)[None], channels=channels, sign=sign)[0]
    if not is_integer(count) or not 0 <= count <= pixels.size:
        raise ValueError(
            "The map has fewer pixels. Expected a count from 0 to "
            f"{pixels.size}. Received: count={count!r}"
        )
    ties = np.random.default_rng(seed).random(pixels.size)
    order = np.lexsort((ties, -pixels.ravel()))
    selected = np.zeros(pixels.size, bool)
    selected[order[:count]] = True
    return selected.reshape(pixels.shape)


def overlap(first: np.ndarray, second: np.ndarray) -> Overlap:
    """Measures how far two regions agree.

    `iou = |A and B| / |A or B|`, and the fraction of each that is in the other.

    Args:
        first: A, `(height, width)`, bool.
        second: B, same shape.

    Returns:
        An `Overlap`: `iou`; `of_first`, the fraction of A inside B; `of_second`, the
        fraction of B inside A; each in [0, 1], or NaN where that region is empty.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape:
        raise ValueError(
            "The regions are not of one image. Expected masks of one shape. Received: "
            f"{first.shape} and {second.shape}"
        )
    both, either = (first & second).sum(), (first | second).sum()
    return Overlap(
        _fraction(both, either),
        _fraction(both, first.sum()),
        _fraction(both, second.sum()),
    )


def _fraction(part: int, total: int) -> float:
    return float(part / total) if total else float("nan")
