"""How much of a map is on the evidence, where the evidence is known.

See `pixel_maps` for the arguments `channels` and `sign`.
"""

from typing import Any

import numpy as np

from medattn.explain.metrics.numeric import nan_unless, safe_ratio
from medattn.explain.metrics.pixel_maps import (
    Channels,
    Sign,
    check_unsigned,
    pixel_map,
)


def relevance_mass(
    relevance: np.ndarray,
    mask: np.ndarray,
    *,
    channels: Channels = "sum",
    sign: Sign = "absolute",
) -> np.ndarray:
    """Measures how much of the relevance is inside the evidence.

    `sum_inside |R| / sum |R|`. The expected value of a random map is the fraction of
    the image that the evidence covers.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        mask: Where the evidence is, `(batch, height, width)`, bool.
        channels: See `pixel_map`.
        sign: `"absolute"` or `"positive"`.

    Returns:
        Fractions in [0, 1], `(batch,)`; NaN where there is no evidence or relevance.

    Reference:
        [Arras et al., 2022](https://doi.org/10.1016/j.inffus.2021.11.008), relevance
        mass accuracy.
    """
    check_unsigned(sign)
    pixels, mask = _flattened(relevance, mask, channels, sign)
    inside, total = (pixels * mask).sum(axis=1), pixels.sum(axis=1)
    return nan_unless((total > 0) & mask.any(axis=1), safe_ratio(inside, total))


def area_gain(
    relevance: np.ndarray,
    mask: np.ndarray,
    *,
    channels: Channels = "sum",
    sign: Sign = "absolute",
) -> np.ndarray:
    """Divides the relevance mass by its expected value for a random map.

    `relevance_mass / (pixels of evidence / pixels)`: 1 is that of a random map,
    whatever the size of the evidence, so that images can be averaged.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        mask: Where the evidence is, `(batch, height, width)`, bool.
        channels: See `pixel_map`.
        sign: `"absolute"` or `"positive"`.

    Returns:
        Gains >= 0, `(batch,)`; NaN where there is no evidence or relevance.
    """
    mass = relevance_mass(relevance, mask, channels=channels, sign=sign)
    has_evidence = np.any(mask, axis=(1, 2))
    return mass / nan_unless(has_evidence, np.mean(mask, axis=(1, 2)))


def relevance_rank(
    relevance: np.ndarray,
    mask: np.ndarray,
    *,
    channels: Channels = "sum",
    sign: Sign = "absolute",
) -> np.ndarray:
    """Measures how many of the most relevant pixels are inside the evidence.

    The fraction inside of the K pixels of the largest |R|, with K the size of the
    evidence. Pixels with the same relevance count in equal parts.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        mask: Where the evidence is, `(batch, height, width)`, bool.
        channels: See `pixel_map`.
        sign: See `pixel_map`.

    Returns:
        Fractions in [0, 1], `(batch,)`; NaN where there is no evidence.

    Reference:
        [Arras et al., 2022](https://doi.org/10.1016/j.inffus.2021.11.008), relevance
        rank accuracy.
    """
    pixels, mask = _flattened(relevance, mask, channels, sign)
    fractions = np.full(len(pixels), np.nan)
    for sample, (values, inside) in enumerate(zip(pixels, mask, strict=True)):
        k = inside.sum()
        if not k:
            continue
        threshold = np.partition(values, -k)[-k]  # the K-th largest
        above, equal = values > threshold, values == threshold
        left = k - above.sum()
        hits = (above & inside).sum() + left * (equal & inside).sum() / equal.sum()
        fractions[sample] = hits / k
    return fractions


def pointing_game(
    relevance: np.ndarray,
    mask: np.ndarray,
    *,
    channels: Channels = "sum",
    sign: Sign = "absolute",
    tolerance: float = 0,
) -> np.ndarray:
    """Tests whether the most relevant pixel is inside the evidence.

    Several equal maxima count by the fraction of them that is inside.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        mask: Where the evidence is, `(batch, height, width)`, bool.
        channels: See `pixel_map`.
        sign: See `pixel_map`.
        tolerance: So many pixels around the evidence count as inside; the paper's 15
            are for photographs of several hundred pixels.

    Returns:
        1 for a hit and 0 for a miss, `(batch,)`; NaN where there is no evidence.

    Reference:
        [Zhang et al., 2018](https://doi.org/10.1007/s11263-017-1059-x), section 4.2.
    """
    evidence: Any = np.asarray(mask, bool)
    if tolerance:
        from scipy.ndimage import distance_transform_edt

        has_evidence = evidence.any(axis=(1, 2))[:, None, None]
        distance = np.stack([distance_transform_edt(~one) for one in evidence])
        evidence = has_evidence & (distance <= tolerance)
    pixels, inside = _flattened(relevance, evidence, channels, sign)
    top = pixels == pixels.max(axis=1, keepdims=True)
    hits = (top & inside).sum(axis=1) / top.sum(axis=1)
    return nan_unless(inside.any(axis=1), hits)


def relevance_auc(
    relevance: np.ndarray,
    mask: np.ndarray,
    *,
    channels: Channels = "sum",
    sign: Sign = "absolute",
) -> np.ndarray:
    """Measures how well relevance separates evidence from the rest, at any threshold.

    The probability that a pixel of the evidence has a larger |R| than one outside;
    equal ones count half. A random map has 1/2.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        mask: Where the evidence is, `(batch, height, width)`, bool.
        channels: See `pixel_map`.
        sign: See `pixel_map`.

    Returns:
        Areas under the ROC curve, `(batch,)`; NaN where evidence covers no pixel or
        every pixel.
    """
    from scipy.stats import rankdata

    pixels, mask = _flattened(relevance, mask, channels, sign)
    inside = mask.sum(axis=1)
    outside = mask.shape[1] - inside
    # Mann and Whitney: the sum of ranks inside, minus its minimum.
    ranks = (rankdata(pixels, axis=1) * mask).sum(axis=1) - inside * (inside + 1) / 2
    return nan_unless((inside > 0) & (outside > 0), safe_ratio(ranks, inside * outside))


def shortcut_share(
    relevance: np.ndarray,
    evidence: np.ndarray,
    artefact: np.ndarray,
    *,
    channels: Channels = "sum",
    sign: Sign = "absolute",
) -> np.ndarray:
    """Measures how much of the relevance is on the artefact, not on the evidence.

    `|R| on the artefact / (|R| on the artefact + |R| on the evidence)`; a pixel of both
    counts as evidence.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        evidence: Where the evidence is, `(batch, height, width)`, bool.
        artefact: Where the artefact is, same shape.
        channels: See `pixel_map`.
        sign: `"absolute"` or `"positive"`.

    Returns:
        Fractions in [0, 1], `(batch,)`; NaN where there is no artefact, or no relevance
        on either.
    """
    check_unsigned(sign)
    pixels, evidence_rows = _flattened(relevance, evidence, channels, sign)
    _, artefact_rows = _flattened(relevance, artefact, channels, sign)
    on_artefact = (pixels * (artefact_rows & ~evidence_rows)).sum(axis=1)
    total = on_artefact + (pixels * evidence_rows).sum(axis=1)
    known = (total > 0) & artefact_rows.any(axis=1)
    return nan_unless(known, safe_ratio(on_artefact, total))


def _flattened(
    relevance: np.ndarray, mask: np.ndarray, channels: Channels, sign: Sign
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the map and the mask as rows of pixels, `(batch, pixels)`."""
    pixels = pixel_map(relevance, channels=channels, sign=sign)
    mask = np.asarray(mask, bool)
    if mask.shape != pixels.shape:
        raise ValueError(
            "The mask does not fit the relevance. Expected a mask of shape "
            f"{pixels.shape}. Received: {mask.shape}"
        )
    return pixels.reshape(len(pixels), -1), mask.reshape(len(mask), -1)
