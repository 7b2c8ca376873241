"""A relevance map as one number per pixel, and maps that use no model.

Two choices are the same for all metrics, and are reported with every result:

`channels`: how the channels of a pixel become one number: `"sum"`, the relevance of the
    pixel; `"norm"`, the Euclidean norm; `"max"`, the largest absolute value. The last
    two have no sign, so that channels do not cancel.
`sign`: what counts: `"absolute"`, |R|, evidence for and against; `"positive"`, only
    evidence for; `"signed"`, R itself, where only the order matters.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

Channels: TypeAlias = Literal["sum", "norm", "max"]
Sign: TypeAlias = Literal["absolute", "positive", "signed"]

CHANNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sum": lambda R: R.sum(axis=-1),
    "norm": lambda R: np.sqrt((R**2).sum(axis=-1)),
    "max": lambda R: np.abs(R).max(axis=-1),
}
SIGNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "absolute": np.abs,
    "positive": lambda R: np.maximum(R, 0),
    "signed": lambda R: R,
}


def pixel_map(
    relevance: np.ndarray, *, channels: Channels = "sum", sign: Sign = "absolute"
) -> np.ndarray:
    """Reduces relevance to one number per pixel, which the metrics then measure.

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
            "Some of the relevance is not a number. Expected finite values. Received: "
            f"{np.sum(~np.isfinite(relevance))} that are NaN or infinite"
        )
    if relevance.ndim == 4:
        relevance = CHANNELS[channels](relevance)
    return SIGNS[sign](relevance)


def check_unsigned(sign: Sign) -> None:
    """Raises ValueError for `"signed"`, where a metric divides by a sum."""
    if sign == "signed":
        raise ValueError(
            "A fraction of the relevance needs values >= 0. Expected sign='absolute' "
            "or 'positive'. Received: sign='signed'"
        )


def edge_map(images: np.ndarray) -> np.ndarray:
    """Computes edges: the baseline map, which uses no model.

    Args:
        images: `(batch, height, width, channels)`, in [0, 1].

    Returns:
        Sobel magnitudes of the grey image, `(batch, height, width)`.
    """
    from skimage.filters import sobel

    return np.stack([sobel(image.mean(axis=-1)) for image in np.asarray(images)])
