"""The figure of concepts: channels, their maps, and the images they stand for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from medattn.figures.maps import colour_scale, grey, pixel_relevance, relevance_rgba

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class ConceptRow(NamedTuple):
    """One channel.

    Attributes:
        title: Its number and its relevance.
        relevance: Its conditional map, `(height, width, channels)`.
        examples: Images it stands for, `(k, height, width, 3)`, in [0, 1].
    """

    title: str
    relevance: np.ndarray
    examples: np.ndarray


def concept_figure(
    image: np.ndarray, relevance: np.ndarray, rows: Sequence[ConceptRow], title: str
) -> "Figure":
    """Draws an image and its map, then a row for each channel: map, and examples.

    Args:
        image: `(height, width, 3)`, in [0, 1].
        relevance: The whole map, `(height, width, channels)`.
        rows: The channels; maps of one colour scale, that of the largest of them.
        title: The prediction.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    columns = 1 + max(len(row.examples) for row in rows)
    size = (1.5 * columns + 0.4, 1.75 * (len(rows) + 1) + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows) + 1, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    figure.suptitle(title, fontsize=11)
    whole = pixel_relevance(relevance)
    grid[0, 0].imshow(image)
    grid[0, 0].set_title("image", fontsize=8)
    _draw(grid[0, 1], image, whole, colour_scale(whole))
    grid[0, 1].set_title("all relevance", fontsize=8)
    maps = [pixel_relevance(row.relevance) for row in rows]
    scale = colour_scale(*maps)
    for axes, row, each in zip(grid[1:], rows, maps, strict=True):
        _draw(axes[0], image, each, scale)
        axes[0].set_title(row.title, fontsize=8)
        for place, example in zip(axes[1:], row.examples, strict=False):
            place.imshow(example)
        axes[1].set_title("most relevant on", fontsize=8)
    return figure


def _draw(axes: "Axes", image: np.ndarray, values: np.ndarray, scale: float) -> None:
    """Draws relevance over the pale image."""
    axes.imshow(grey(image))
    axes.imshow(relevance_rgba(values, scale))
