"""Where tokens and feature maps lie in the image, and how they are spread over it."""

import math

import keras
import numpy as np


def token_grid(tokens, image_shape):
    """Finds the patches of an image among the tokens of a transformer.

    Args:
        tokens: Number of tokens.
        image_shape: `(height, width)` of the image.

    Returns:
        `(first, rows, columns)`: the patches are the tokens from `first` on, row by
        row; `first` is 1 behind a class token, else 0. None if square patches of one
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


def upsampled(maps, shape):
    """Enlarges maps to the image, bilinearly, centres of pixels on centres.

    Args:
        maps: `(batch, rows, columns)`.
        shape: `(height, width)`.

    Returns:
        `(batch, height, width)`, a numpy array.
    """
    large = keras.ops.image.resize(
        np.asarray(maps, np.float32)[..., None],
        tuple(shape),
        interpolation="bilinear",
        data_format="channels_last",
    )
    return keras.ops.convert_to_numpy(large)[..., 0]


def spread(maps, images):
    """Gives every channel of a pixel an even share of its value.

    Relevance is summed over channels wherever a map is drawn or measured, and so the
    sum is the value again.

    Args:
        maps: `(batch, height, width)`.
        images: `(batch, height, width, channels)`.

    Returns:
        Same shape as `images`, float32.
    """
    share = np.asarray(maps, np.float32)[..., None] / images.shape[-1]
    return np.broadcast_to(share, images.shape).copy()


def checked_pictures(analyzer):
    """Refuses inputs over which no map can be spread."""
    for tensor in analyzer.model.inputs:
        if len(tensor.shape) != 4 or None in tensor.shape[1:3]:
            raise ValueError(
                "This analyzer spreads its map over an image. Expected inputs of shape "
                "(batch, height, width, channels) of known height and width. "
                f"Received: {tuple(tensor.shape)} for {tensor.name!r}"
            )
