"""How concentrated a map is."""

import numpy as np

from medattn.explain.metrics.numeric import nan_unless, safe_ratio
from medattn.explain.metrics.pixel_maps import (
    Channels,
    Sign,
    check_unsigned,
    pixel_map,
)


def sparseness(
    relevance: np.ndarray, *, channels: Channels = "sum", sign: Sign = "absolute"
) -> np.ndarray:
    """Measures how concentrated a map is: the Gini index of |R|.

    `sum_i (2 i - n - 1) a_i / (n sum_i a_i)` with a = |R| in ascending order: 0 for a
    constant map, 1 - 1/n for a single pixel.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        channels: See `pixel_map`.
        sign: `"absolute"` or `"positive"`.

    Returns:
        Indices in [0, 1), `(batch,)`; NaN where there is no relevance.

    Reference:
        [Chalasani et al., 2020](https://arxiv.org/abs/1810.06583), section 3.
    """
    check_unsigned(sign)
    pixels = pixel_map(relevance, channels=channels, sign=sign)
    a = np.sort(pixels.reshape(len(pixels), -1), axis=1)
    n = a.shape[1]
    i = np.arange(1, n + 1)
    total = a.sum(axis=1)
    return nan_unless(total > 0, safe_ratio(a @ (2.0 * i - n - 1), n * total))
