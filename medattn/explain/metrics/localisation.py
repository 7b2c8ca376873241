"""How good is a map, where the truth is known; and how concentrated it is.

Two choices are the same for all measures here, and are stated with every result:

`channels`: how a pixel's channels become one number: `"sum"`, the relevance of the
    pixel; `"norm"`, the Euclidean length; `"max"`, the largest size. The last two have
    no sign, and do not let channels cancel.
`sign`: what counts: `"absolute"`, |R|, speaking for or against; `"positive"`, only what
    speaks for; `"signed"`, R as it is, where only the order matters.
"""

import numpy as np

CHANNELS = {
    "sum": lambda R: R.sum(axis=-1),
    "norm": lambda R: np.sqrt((R**2).sum(axis=-1)),
    "max": lambda R: np.abs(R).max(axis=-1),
}
SIGNS = {
    "absolute": np.abs,
    "positive": lambda R: np.maximum(R, 0),
    "signed": lambda R: R,
}
NO_SHARE = (
    "A share needs amounts. Expected sign='absolute' or 'positive'. "
    "Received: sign='signed'"
)


def pixel_map(relevance, *, channels="sum", sign="absolute"):
    """Makes one number a pixel, in the way that is then measured.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        channels: One of `"sum"`, `"norm"`, `"max"`, see above.
        sign: One of `"absolute"`, `"positive"`, `"signed"`.

    Returns:
        `(batch, height, width)`, float64.
    """
    for name, value, known in (
        ("channels", channels, CHANNELS),
        ("sign", sign, SIGNS),
    ):
        if value not in known:
            raise ValueError(
                f"Unknown way to read a map. Expected {name}= one of {list(known)}. "
                f"Received: {name}={value!r}"
            )
    relevance = np.asarray(relevance, np.float64)
    if relevance.ndim not in (3, 4) or not relevance.size:
        raise ValueError(
            "These are no maps. Expected a batch of shape (batch, height, width) or "
            f"(batch, height, width, channels). Received: {relevance.shape}"
        )
    if not np.isfinite(relevance).all():
        raise ValueError(
            "Some of the relevance is no number. Expected finite values. Received: "
            f"{np.sum(~np.isfinite(relevance))} that are NaN or infinite"
        )
    if relevance.ndim == 4:
        relevance = CHANNELS[channels](relevance)
    return SIGNS[sign](relevance)


def relevance_mass(relevance, mask, *, channels="sum", sign="absolute"):
    """Measures how much of the relevance lies inside the evidence.

    `sum_inside |R| / sum |R|`. A map of noise scores the share of the image that the
    evidence covers.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        mask: Where the evidence lies, `(batch, height, width)`, bool.
        channels: See `pixel_map`.
        sign: `"absolute"` or `"positive"`.

    Returns:
        Shares in [0, 1], `(batch,)`; NaN where there is no evidence or no relevance.

    Reference:
        [Arras et al., 2022](https://doi.org/10.1016/j.inffus.2021.11.008), relevance
        mass accuracy.
    """
    if sign == "signed":
        raise ValueError(NO_SHARE)
    size, mask = _masked(relevance, mask, channels, sign)
    inside, total = (size * mask).sum(axis=1), size.sum(axis=1)
    return _known(divided(inside, total), (total > 0) & mask.any(axis=1))


def area_gain(relevance, mask, *, channels="sum", sign="absolute"):
    """Measures the relevance mass against what a map of noise would score.

    `relevance_mass / (pixels of evidence / pixels)`: 1 is chance, whatever the size of
    the evidence, so that images can be averaged.

    Args:
        relevance: As in `relevance_mass`, like the rest.
        mask: Where the evidence lies, `(batch, height, width)`, bool.
        channels: See `pixel_map`.
        sign: `"absolute"` or `"positive"`.

    Returns:
        Gains >= 0, `(batch,)`; NaN where there is no evidence or no relevance.
    """
    mass = relevance_mass(relevance, mask, channels=channels, sign=sign)
    return mass / _known(np.mean(mask, axis=(1, 2)), np.any(mask, axis=(1, 2)))


def relevance_rank(relevance, mask, *, channels="sum", sign="absolute"):
    """Measures how many of the most relevant pixels lie inside the evidence.

    Of the K pixels of the largest |R|, the share inside, with K the size of the
    evidence. Pixels with equal relevance share the last places evenly.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        mask: Where the evidence lies, `(batch, height, width)`, bool.
        channels: See `pixel_map`.
        sign: See `pixel_map`.

    Returns:
        Shares in [0, 1], `(batch,)`; NaN where there is no evidence.

    Reference:
        [Arras et al., 2022](https://doi.org/10.1016/j.inffus.2021.11.008), relevance
        rank accuracy.
    """
    size, mask = _masked(relevance, mask, channels, sign)
    found = np.full(len(size), np.nan)
    for at, (values, inside) in enumerate(zip(size, mask, strict=True)):
        k = inside.sum()
        if not k:
            continue
        last = np.partition(values, -k)[-k]  # the K-th largest
        above, level = values > last, values == last
        left = k - above.sum()
        hits = (above & inside).sum() + left * (level & inside).sum() / level.sum()
        found[at] = hits / k
    return found


def pointing_game(relevance, mask, *, channels="sum", sign="absolute", tolerance=0):
    """Asks whether the most relevant pixel lies inside the evidence.

    Several equal maxima count by the share of them that does.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        mask: Where the evidence lies, `(batch, height, width)`, bool.
        channels: See `pixel_map`.
        sign: See `pixel_map`.
        tolerance: So many pixels around the evidence count as inside; the paper's 15
            are for photographs of several hundred pixels.

    Returns:
        1 for a hit and 0 for a miss, `(batch,)`; NaN where there is no evidence.

    Reference:
        [Zhang et al., 2018](https://doi.org/10.1007/s11263-017-1059-x), section 4.2.
    """
    mask = np.asarray(mask, bool)
    if tolerance:
        from scipy.ndimage import distance_transform_edt

        some = mask.any(axis=(1, 2))[:, None, None]
        away = np.stack([distance_transform_edt(~one) for one in mask])
        mask = some & (away <= tolerance)
    size, mask = _masked(relevance, mask, channels, sign)
    top = size == size.max(axis=1, keepdims=True)
    hits = (top & mask).sum(axis=1) / top.sum(axis=1)
    return _known(hits, mask.any(axis=1))


def relevance_auc(relevance, mask, *, channels="sum", sign="absolute"):
    """Measures how well relevance tells evidence from the rest, at any threshold.

    The chance that a pixel of the evidence has a larger |R| than one outside; equal
    ones count half. Chance level is 1/2.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        mask: Where the evidence lies, `(batch, height, width)`, bool.
        channels: See `pixel_map`.
        sign: See `pixel_map`.

    Returns:
        Areas under the ROC curve, `(batch,)`; NaN where evidence covers nothing or all.
    """
    from scipy.stats import rankdata

    size, mask = _masked(relevance, mask, channels, sign)
    inside = mask.sum(axis=1)
    outside = mask.shape[1] - inside
    # Mann and Whitney: the sum of ranks inside, less the least that it can be.
    ranks = (rankdata(size, axis=1) * mask).sum(axis=1) - inside * (inside + 1) / 2
    return _known(divided(ranks, inside * outside), (inside > 0) & (outside > 0))


def shortcut_share(relevance, evidence, artefact, *, channels="sum", sign="absolute"):
    """Measures how much of the explanation goes to the artefact, not the evidence.

    `|R| on the artefact / (|R| on the artefact + |R| on the evidence)`; a pixel of both
    counts as evidence.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        evidence: Where the evidence lies, `(batch, height, width)`, bool.
        artefact: Where the artefact lies, same shape.
        channels: See `pixel_map`.
        sign: `"absolute"` or `"positive"`.

    Returns:
        Shares in [0, 1], `(batch,)`; NaN where there is no artefact, or no relevance on
        either.
    """
    if sign == "signed":
        raise ValueError(NO_SHARE)
    size, evidence_rows = _masked(relevance, evidence, channels, sign)
    _, artefact_rows = _masked(relevance, artefact, channels, sign)
    taken = (size * (artefact_rows & ~evidence_rows)).sum(axis=1)
    total = taken + (size * evidence_rows).sum(axis=1)
    return _known(divided(taken, total), (total > 0) & artefact_rows.any(axis=1))


def sparseness(relevance, *, channels="sum", sign="absolute"):
    """Measures how concentrated a map is: the Gini index of |R|.

    `sum_i (2 i - n - 1) a_i / (n sum_i a_i)` with a = |R| in rising order: 0 for an
    even map, 1 - 1/n for a single pixel.

    Args:
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        channels: See `pixel_map`.
        sign: `"absolute"` or `"positive"`.

    Returns:
        Indices in [0, 1), `(batch,)`; NaN where there is no relevance.

    Reference:
        [Chalasani et al., 2020](https://arxiv.org/abs/1810.06583), section 3.
    """
    if sign == "signed":
        raise ValueError(NO_SHARE)
    size = pixel_map(relevance, channels=channels, sign=sign)
    a = np.sort(size.reshape(len(size), -1), axis=1)
    n = a.shape[1]
    i = np.arange(1, n + 1)
    total = a.sum(axis=1)
    return _known(divided(a @ (2.0 * i - n - 1), n * total), total > 0)


def edge_map(images):
    """Draws edges, a map that knows nothing of any model: the baseline to beat.

    Args:
        images: `(batch, height, width, channels)`, in [0, 1].

    Returns:
        Sobel magnitudes of the grey image, `(batch, height, width)`.
    """
    from skimage.filters import sobel

    return np.stack([sobel(image.mean(axis=-1)) for image in np.asarray(images)])


def divided(a, b):
    """Divides; nothing by nothing is nothing."""
    return a / np.where(b == 0, 1, b)


def _masked(relevance, mask, channels, sign):
    """Returns the map and the mask as rows of pixels, if they fit."""
    size = pixel_map(relevance, channels=channels, sign=sign)
    mask = _fitting(mask, size.shape)
    return size.reshape(len(size), -1), mask.reshape(len(size), -1)


def _fitting(mask, shape):
    mask = np.asarray(mask, bool)
    if mask.shape != shape:
        raise ValueError(
            "The mask does not fit the relevance. Expected a mask of shape "
            f"{shape}. Received: {mask.shape}"
        )
    return mask


def _known(values, known):
    return np.where(known, values, np.nan)
