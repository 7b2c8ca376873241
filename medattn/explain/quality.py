"""How good is a map, where the truth is known."""

import numpy as np


def relevance_mass(relevance, mask):
    """Measures how much of the relevance lies inside the evidence.

    `sum_inside |R| / sum |R|`, with R summed over the channels of a pixel first. A map
    of noise scores the share of the image that the evidence covers.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        mask: Where the evidence lies, `(batch, height, width)`, bool.

    Returns:
        Shares in [0, 1], `(batch,)`; NaN where there is no evidence or no relevance.

    Reference:
        [Arras et al., 2022](https://doi.org/10.1016/j.inffus.2021.11.008), relevance
        mass accuracy.
    """
    relevance = np.asarray(relevance, np.float64)
    if relevance.ndim == 4:
        relevance = relevance.sum(axis=-1)
    mask = np.asarray(mask, bool)
    if relevance.shape != mask.shape:
        raise ValueError(
            "The mask does not fit the relevance. Expected a mask of shape "
            f"{relevance.shape}. Received: {mask.shape}"
        )
    size = np.abs(relevance)
    inside = (size * mask).sum(axis=(1, 2))
    total = size.sum(axis=(1, 2))
    known = (total > 0) & mask.any(axis=(1, 2))
    return np.where(known, inside / np.where(total > 0, total, 1), np.nan)


def edge_map(images):
    """Draws edges, a map that knows nothing of any model: the baseline to beat.

    Args:
        images: `(batch, height, width, channels)`, in [0, 1].

    Returns:
        Sobel magnitudes of the grey image, `(batch, height, width)`.
    """
    from skimage.filters import sobel

    return np.stack([sobel(image.mean(axis=-1)) for image in np.asarray(images)])
