"""How similar two batches of maps are."""

import numpy as np

from medattn.explain.metrics.numeric import nan_unless, norm, safe_ratio


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Computes Spearman's correlation of the pixels of two batches of maps.

    Args:
        first: `(batch, height, width)`.
        second: Same shape.

    Returns:
        `(batch,)`; NaN where a map is constant.
    """
    from scipy.stats import rankdata

    a, b = (rankdata(m.reshape(len(m), -1), axis=1) for m in (first, second))
    a, b = (m - m.mean(axis=1, keepdims=True) for m in (a, b))
    scale = norm(a) * norm(b)
    return nan_unless(scale > 0, safe_ratio((a * b).sum(axis=1), scale))


def structural_similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Computes SSIM of two batches of maps, each scaled to a maximum of one.

    Args:
        first: `(batch, height, width)`.
        second: Same shape.

    Returns:
        `(batch,)`; NaN where a map is zero, or smaller than three pixels.
    """
    from skimage.metrics import structural_similarity as ssim

    window = min(7, *first.shape[1:])
    window -= 1 - window % 2
    found = []
    for a, b in zip(first, second, strict=True):
        largest = np.abs(a).max(), np.abs(b).max()
        if not all(largest) or window < 3:
            found.append(np.nan)
            continue
        data_range = 2.0 if min(a.min(), b.min()) < 0 else 1.0
        a, b = a / largest[0], b / largest[1]
        found.append(ssim(a, b, win_size=window, data_range=data_range))
    return np.array(found)
