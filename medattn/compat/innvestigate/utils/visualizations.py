"""Pictures of maps: scaled to [0, 1], and coloured."""

from collections.abc import Callable
from typing import Any

import numpy as np


def project(
    X: np.ndarray,
    output_range: tuple[float, float] = (0, 1),
    absmax: np.ndarray | float | None = None,
    input_is_positive_only: bool = False,
) -> np.ndarray:
    """Scales each image of a batch by its largest absolute value.

    Args:
        X: `(batch, ...)`.
        output_range: The smallest and the largest value afterwards.
        absmax: What stands for the largest value, instead.
        input_is_positive_only: Whether zero is the smallest value, not the middle.
    """
    axes = tuple(range(1, np.ndim(X)))
    largest = np.abs(X).max(axes, keepdims=True) if absmax is None else absmax
    scaled = np.divide(X, np.where(np.asarray(largest) == 0, 1, largest))
    if not input_is_positive_only:
        scaled = (scaled + 1) / 2
    low, high = output_range
    return low + np.clip(scaled, 0, 1) * (high - low)


def heatmap(
    X: np.ndarray,
    cmap_type: str = "seismic",
    reduce_op: str = "sum",
    reduce_axis: int = -1,
    alpha_cmap: bool = False,
    **kwargs: Any,
) -> np.ndarray:
    """Colours maps by a colour map of matplotlib, zero in its middle.

    Args:
        X: `(batch, height, width, channels)`.
        cmap_type: The colour map.
        reduce_op: How channels become one: `"sum"` or `"absmax"`.
        reduce_axis: The axis of the channels.
        alpha_cmap: Whether the colour map's opacity is kept.
        **kwargs: Of `project`.

    Returns:
        `(batch, height, width, 3)`, or 4 with opacity.
    """
    from matplotlib import colormaps

    reducers: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "sum": lambda x: x.sum(axis=reduce_axis),
        "absmax": lambda x: np.take_along_axis(
            x, np.abs(x).argmax(reduce_axis, keepdims=True), reduce_axis
        ).squeeze(reduce_axis),
    }
    if reduce_op not in reducers:
        raise NotImplementedError(
            f"Expected one of {sorted(reducers)}. Received: reduce_op={reduce_op!r}"
        )
    values = project(reducers[reduce_op](np.asarray(X)), (0, 1), **kwargs)
    coloured = np.asarray(colormaps[cmap_type](values))
    return coloured if alpha_cmap else coloured[..., :3]


def graymap(X: np.ndarray, **kwargs: Any) -> np.ndarray:
    """Draws maps in shades of grey, see `heatmap`."""
    return heatmap(X, cmap_type="gray", **kwargs)
