"""Salience-guided faithfulness: do more relevant pixels move the prediction more?"""

from collections.abc import Callable
from typing import Any

import numpy as np

from medattn.explain.metrics.deletion_curves import ranks_of, replaced_images
from medattn.explain.metrics.numeric import is_integer, nan_unless, safe_ratio
from medattn.explain.metrics.pixel_maps import Channels, Sign, pixel_map


def saco(
    predict: Callable[[np.ndarray], Any],
    images: np.ndarray,
    relevance: np.ndarray,
    *,
    groups: int = 10,
    replacement: str | np.ndarray = "mean",
    channels: Channels = "sum",
    sign: Sign = "signed",
    seed: int = 0,
) -> np.ndarray:
    """Compares groups of pixels by their relevance and by their effect.

    The pixels are divided by relevance into K groups of one size, the most relevant
    first; s_i is the relevance of a group, d_i by how much the prediction drops if it
    is replaced. Of two groups i < j, the first should have the larger effect:

        F = sum_{i<j} sign_ij (s_i - s_j) / sum_{i<j} |s_i - s_j|,

    with sign_ij = 1 if d_i >= d_j, else -1. So the amounts of relevance count, and not
    their order alone; a random map has 0 on average.

    Args:
        predict: A function from `(batch, height, width, channels)` to one value per
            sample, such as the probability of the class explained.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        groups: K, two or more.
        replacement: See `deletion`; the paper's is the mean colour.
        channels: See `pixel_map`.
        sign: See `pixel_map`.
        seed: Seed of the order of pixels with the same relevance.

    Returns:
        Coefficients in [-1, 1], `(batch,)`; NaN where all groups have one relevance.

    Raises:
        ValueError: If an argument cannot be used.

    Reference:
        [Wu et al., 2024](https://arxiv.org/abs/2404.01415), algorithm 1.
    """
    images = np.asarray(images, np.float32)
    rank = ranks_of(images, relevance, channels, sign, seed)
    size = rank[0].size
    if not is_integer(groups) or not 2 <= groups <= size:
        raise ValueError(
            f"Unusable number of groups. Expected groups from 2 to {size}. "
            f"Received: groups={groups!r}"
        )
    pixels = pixel_map(relevance, channels=channels, sign=sign)
    replaced = replaced_images(images, replacement)
    before = np.asarray(predict(images), np.float64)
    bounds = np.rint(np.linspace(0, size, groups + 1)).astype(int)
    sums, drops = [], []
    for start, end in zip(bounds[:-1], bounds[1:], strict=True):
        inside = (rank >= start) & (rank < end)
        changed = np.where(inside[..., None], replaced, images)
        sums.append((pixels * inside).sum((1, 2)))
        drops.append(before - np.asarray(predict(changed), np.float64))
    s, d = np.stack(sums, 1), np.stack(drops, 1)  # (batch, groups)
    first, second = np.triu_indices(groups, 1)
    weight = s[:, first] - s[:, second]
    signs = np.where(d[:, first] >= d[:, second], 1, -1)
    total = np.abs(weight).sum(1)
    return nan_unless(total > 0, safe_ratio((signs * weight).sum(1), total))
