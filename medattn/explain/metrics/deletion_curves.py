"""Deletion and insertion: does the prediction change with the pixels a map names?"""

from collections import namedtuple

import numpy as np

from medattn.explain.metrics.localisation import pixel_map

Curve = namedtuple("Curve", "fractions values area")


def deletion(
    predict,
    images,
    relevance,
    *,
    steps=32,
    replacement="blur",
    channels="sum",
    sign="signed",
    seed=0,
):
    """Takes pixels away, the most relevant first; a good map lets the prediction fall.

    Args:
        predict: A function from `(batch, height, width, channels)` to one value a
            sample, such as the probability of the class explained.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        steps: How many times pixels are taken, evenly many each time.
        replacement: What comes in their place: `"blur"` (the image under a Gaussian of
            an eighth of its height), `"mean"` (its mean colour), `"zeros"` (black), or
            an array of the shape of `images` or that broadcasts to it.
        channels: See `pixel_map`.
        sign: See `pixel_map`; `"signed"`, so that what speaks against goes last.
        seed: Pixels of equal relevance are taken in an order drawn from it.

    Returns:
        A `Curve`: `fractions` taken, `(steps + 1,)` from 0 to 1; `values` of `predict`,
        `(batch, steps + 1)`; `area` under each, `(batch,)`: lower is better.

    Reference:
        [Petsiuk et al., 2018](https://arxiv.org/abs/1806.07421), section 3.2; taking
        pixels in order of relevance is [Samek et al.,
        2017](https://doi.org/10.1109/TNNLS.2016.2599820).
    """
    images = np.asarray(images, np.float32)
    replaced = _replaced(images, replacement)
    place = _queue(images, relevance, channels, sign, seed)
    return _curve(predict, images, replaced, place, steps)


def insertion(
    predict,
    images,
    relevance,
    *,
    steps=32,
    replacement="blur",
    channels="sum",
    sign="signed",
    seed=0,
):
    """Puts pixels into an empty image, the most relevant first; the mirror of deletion.

    Args:
        predict: As in `deletion`, like the rest.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        steps: How many times pixels are put in.
        replacement: The image at the start.
        channels: See `pixel_map`.
        sign: See `pixel_map`.
        seed: As in `deletion`.

    Returns:
        A `Curve` as of `deletion`; a larger area is better.

    Reference: [Petsiuk et al., 2018](https://arxiv.org/abs/1806.07421), section 3.2.
    """
    images = np.asarray(images, np.float32)
    replaced = _replaced(images, replacement)
    place = _queue(images, relevance, channels, sign, seed)
    return _curve(predict, replaced, images, place, steps)


def _queue(images, relevance, channels, sign, seed):
    """Numbers the pixels by relevance, the largest 0, same shape as the maps."""
    size = pixel_map(relevance, channels=channels, sign=sign)
    if images.shape[:3] != size.shape:
        raise ValueError(
            "The maps do not fit the images. Expected maps of shape "
            f"{images.shape[:3]}. Received: {size.shape}"
        )
    rows = size.reshape(len(size), -1)
    # Least significant key first: equal pixels stand in an order of chance.
    chance = np.random.default_rng(seed).random(rows.shape[1])
    order = [np.lexsort((chance, -row)) for row in rows]
    return np.argsort(order, axis=1).reshape(size.shape)


def _curve(predict, start, end, place, steps):
    """Turns one image into another, pixel by pixel as they stand in the queue."""
    batch, height, width = place.shape
    whole = isinstance(steps, int) and not isinstance(steps, bool)
    if not whole or not 1 <= steps <= height * width:
        raise ValueError(
            "The pixels cannot be taken in so many steps. Expected steps from 1 to "
            f"{height * width}. Received: steps={steps!r}"
        )
    values = []
    counts = np.rint(np.linspace(0, height * width, steps + 1)).astype(int)
    for count in counts:
        changed = np.where((place < count)[..., None], end, start)
        value = np.asarray(predict(changed), np.float64)
        if value.shape != (batch,):
            raise ValueError(
                "The prediction to follow is one number a sample. Expected a function "
                f"that returns shape ({batch},). Received: {value.shape}"
            )
        values.append(value)
    values = np.stack(values, axis=1)
    fractions = counts / (height * width)
    return Curve(fractions, values, np.trapezoid(values, fractions, axis=1))


def _replaced(images, replacement):
    """Returns what stands in the place of pixels taken away."""
    if not isinstance(replacement, str):
        replacement = np.asarray(replacement, np.float32)
        try:
            return np.broadcast_to(replacement, images.shape)
        except ValueError:
            replacement = f"an array of shape {replacement.shape}"
    elif replacement == "zeros":
        return np.zeros_like(images)
    elif replacement == "mean":
        return np.broadcast_to(images.mean(axis=(1, 2), keepdims=True), images.shape)
    elif replacement == "blur":
        from scipy.ndimage import gaussian_filter

        width = images.shape[1] / 8
        return gaussian_filter(images, (0, width, width, 0), mode="nearest")
    raise ValueError(
        "Unknown replacement of pixels. Expected 'blur', 'mean', 'zeros' or an array "
        f"that broadcasts to {images.shape}. Received: replacement={replacement!r}"
    )
