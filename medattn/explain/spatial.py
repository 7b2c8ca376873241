"""Tokens and feature maps as positions in the image."""

import math
from collections.abc import Sequence

import keras
import numpy as np

from medattn.layers.tensor import Tensor


def token_grid(tokens: int, image_shape: Sequence[int]) -> tuple[int, int, int] | None:
    """Finds the patches of an image among the tokens of a transformer.

    Args:
        tokens: Number of tokens.
        image_shape: `(height, width)` of the image.

    Returns:
        `(first, rows, columns)`: the patches are the tokens from `first` on, row by
        row; `first` is 1 after a class token, else 0. None if square patches of one
        size, with at most one token before them, cannot fill the image.
    """
    height, width = image_shape
    for first in (1, 0):
        rows = math.isqrt(max(0, tokens - first) * height // width)
        if rows and not height % rows:
            side = height // rows
            if not width % side and rows * (width // side) == tokens - first:
                return first, rows, width // side
    return None


def upsampled(maps: Tensor, shape: Sequence[int]) -> np.ndarray:
    """Enlarges maps to the image, bilinearly, aligned at the centres of pixels.

    Args:
        maps: `(batch, rows, columns)`.
        shape: `(height, width)`.

    Returns:
        `(batch, height, width)`.
    """
    large = keras.ops.image.resize(
        np.asarray(maps, np.float32)[..., None],
        tuple(shape),
        interpolation="bilinear",
        data_format="channels_last",
    )
    return keras.ops.convert_to_numpy(large)[..., 0]


def spread(maps: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Divides the value of a pixel evenly among its channels.

    Relevance is summed over channels wherever a map is drawn or measured, so that the
    sum is the value again.

    Args:
        maps: `(batch, height, width)`.
        images: `(batch, height, width, channels)`.

    Returns:
        Same shape as `images`, float32.
    """
    part = np.asarray(maps, np.float32)[..., None] / images.shape[-1]
    return np.broadcast_to(part, images.shape).copy()


def check_image_inputs(inputs: Sequence[keras.KerasTensor]) -> None:
    """Raises ValueError if an input of a model is not an image of known size."""
    for tensor in inputs:
        if len(tensor.shape) != 4 or None in tensor.shape[1:3]:
            raise ValueError(
                "This analyzer spreads its map over an image. Expected inputs of shape "
                "(batch, height, width, channels) of known height and width. "
                f"Received: {tuple(tensor.shape)} for {tensor.name!r}"
            )
