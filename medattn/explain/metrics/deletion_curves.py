"""Deletion and insertion: does the prediction depend on the pixels that a map marks?"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from medattn.explain.metrics.numeric import is_integer
from medattn.explain.metrics.pixel_maps import Channels, Sign, pixel_map


class Curve(NamedTuple):
    """The prediction while pixels are replaced; see `deletion`."""

    fractions: np.ndarray
    values: np.ndarray
    area: np.ndarray


def deletion(
    predict: Callable[[np.ndarray], Any],
    images: np.ndarray,
    relevance: np.ndarray,
    *,
    steps: int = 32,
    replacement: str | np.ndarray = "blur",
    channels: Channels = "sum",
    sign: Sign = "signed",
    seed: int = 0,
) -> Curve:
    """Replaces pixels, the most relevant first; with a good map the prediction drops.

    Args:
        predict: A function from `(batch, height, width, channels)` to one value per
            sample, such as the probability of the class explained.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        steps: Number of steps, each with the same number of pixels.
        replacement: The new values: `"blur"` (the image under a Gaussian of an eighth
            of its height), `"mean"` (its mean colour), `"zeros"` (black), or an array
            of the shape of `images` or that broadcasts to it.
        channels: See `pixel_map`.
        sign: See `pixel_map`; with `"signed"`, evidence against the class comes last.
        seed: Seed of the order of pixels with the same relevance.

    Returns:
        A `Curve`: `fractions` replaced, `(steps + 1,)` from 0 to 1; `values` of
        `predict`, `(batch, steps + 1)`; `area` under each, `(batch,)`: lower is better.

    Reference:
        [Petsiuk et al., 2018](https://arxiv.org/abs/1806.07421), section 3.2; pixels in
        order of relevance: [Samek et al.,
        2017](https://doi.org/10.1109/TNNLS.2016.2599820).
    """
    images = np.asarray(images, np.float32)
    replaced = replaced_images(images, replacement)
    rank = ranks_of(images, relevance, channels, sign, seed)
    return _curve(predict, images, replaced, rank, steps)


def insertion(
    predict: Callable[[np.ndarray], Any],
    images: np.ndarray,
    relevance: np.ndarray,
    *,
    steps: int = 32,
    replacement: str | np.ndarray = "blur",
    channels: Channels = "sum",
    sign: Sign = "signed",
    seed: int = 0,
) -> Curve:
    """Inserts pixels into an empty image, the most relevant first: reversed deletion.

    Args:
        predict: See `deletion`.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        relevance: `(batch, height, width, channels)` or `(batch, height, width)`.
        steps: Number of steps, each with the same number of pixels.
        replacement: The image at the start.
        channels: See `pixel_map`.
        sign: See `pixel_map`.
        seed: See `deletion`.

    Returns:
        A `Curve` as of `deletion`; a larger area is better.

    Reference: [Petsiuk et al., 2018](https://arxiv.org/abs/1806.07421), section 3.2.
    """
    images = np.asarray(images, np.float32)
    replaced = replaced_images(images, replacement)
    rank = ranks_of(images, relevance, channels, sign, seed)
    return _curve(predict, replaced, images, rank, steps)


def ranks_of(
    images: np.ndarray,
    relevance: np.ndarray,
    channels: Channels,
    sign: Sign,
    seed: int,
) -> np.ndarray:
    """Ranks the pixels by relevance, `(batch, height, width)`; the largest is 0.

    Args:
        images: See `deletion`.
        relevance: See `deletion`.
        channels: See `pixel_map`.
        sign: See `pixel_map`.
        seed: Seed of the order of pixels with the same relevance.

    Raises:
        ValueError: If the maps do not fit the images.
    """
    pixels = pixel_map(relevance, channels=channels, sign=sign)
    if images.shape[:3] != pixels.shape:
        raise ValueError(
            "The maps do not fit the images. Expected maps of shape "
            f"{images.shape[:3]}. Received: {pixels.shape}"
        )
    rows = pixels.reshape(len(pixels), -1)
    # The last key of lexsort comes first: equal pixels are in random order.
    ties = np.random.default_rng(seed).random(rows.shape[1])
    order = [np.lexsort((ties, -row)) for row in rows]
    return np.argsort(order, axis=1).reshape(pixels.shape)


def _curve(
    predict: Callable[[np.ndarray], Any],
    start: np.ndarray,
    end: np.ndarray,
    rank: np.ndarray,
    steps: int,
) -> Curve:
    """Changes one image into another, pixel by pixel in the order of their ranks."""
    batch, height, width = rank.shape
    if not is_integer(steps) or not 1 <= steps <= height * width:
        raise ValueError(
            "Unusable number of steps. Expected steps from 1 to "
            f"{height * width}. Received: steps={steps!r}"
        )
    rows = []
    counts = np.rint(np.linspace(0, height * width, steps + 1)).astype(int)
    for count in counts:
        changed = np.where((rank < count)[..., None], end, start)
        value = np.asarray(predict(changed), np.float64)
        if value.shape != (batch,):
            raise ValueError(
                "The prediction must be one number per sample. Expected a function "
                f"that returns shape ({batch},). Received: {value.shape}"
            )
        rows.append(value)
    values = np.stack(rows, axis=1)
    fractions = counts / (height * width)
    return Curve(fractions, values, np.trapezoid(values, fractions, axis=1))


def replaced_images(images: np.ndarray, replacement: str | np.ndarray) -> np.ndarray:
    """Returns the values that replace the pixels, same shape as the images.

    Args:
        images: See `deletion`.
        replacement: See `deletion`.

    Raises:
        ValueError: If the replacement is unknown.
    """
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
