"""The relevance of class token and positions, entry by entry and on the image."""

from collections.abc import Mapping, Sequence

import numpy as np

from medattn.explain.lrp.constants import Constant
from medattn.explain.spatial import token_grid

Key = tuple[int, int]  # the id of a step's output, and the number of its constant


def tokens_of(
    constants: Mapping[int, Sequence[Constant]],
) -> list[tuple[Key, Constant]]:
    """Lists the class tokens and positions among the constants, by their keys.

    Args:
        constants: As of a `Propagator`.
    """
    return [
        ((output, number), constant)
        for output, each in constants.items()
        for number, constant in enumerate(each)
        if constant.part in ("class_token", "positions")
    ]


def ones_like(constant: Constant, batch: int) -> np.ndarray:
    """Makes the ones by which a constant's relevance is read, entry by entry."""
    return np.ones((batch, *[size or 1 for size in constant.shape]), np.float32)


def positions_on_image(
    maps: Sequence[np.ndarray], image_shape: Sequence[int]
) -> np.ndarray:
    """Lays the relevance of positions on the image.

    Args:
        maps: Relevance of positions, `(batch, tokens, dim)` or `(batch, rows, columns,
            dim)` each.
        image_shape: `(batch, height, width, channels)`.

    Returns:
        `(batch, height, width)`, each cell's relevance divided among its pixels.

    Raises:
        ValueError: If no map has a cell for each square patch of the image.
    """
    if len(image_shape) != 4:
        raise ValueError(
            "Positions are drawn on an image. Expected images of shape (batch, height, "
            f"width, channels). Received: {tuple(image_shape)}"
        )
    batch, height, width = image_shape[:3]
    total: np.ndarray | None = None
    for each in maps:
        cells = each.sum(-1)
        grid = token_grid(cells.shape[1], (height, width)) if cells.ndim == 2 else None
        if grid is not None:
            cells = cells[:, grid[0] :].reshape(-1, *grid[1:])
        if cells.ndim != 3 or height % cells.shape[1] or width % cells.shape[2]:
            continue
        tall, wide = height // cells.shape[1], width // cells.shape[2]
        on_pixels = cells.repeat(tall, 1).repeat(wide, 2) / (tall * wide)
        total = on_pixels if total is None else total + on_pixels
    if total is None:
        raise ValueError(
            "The network reads no positions that have a place in the image. Expected "
            "a constant added to tokens, one for each square patch. Received: "
            f"{[each.shape for each in maps]}"
        )
    return np.broadcast_to(total, (batch, height, width)).astype(np.float32)
