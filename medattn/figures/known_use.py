"""Maps beside what a network does use and what it should use."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from medattn.figures.colours import (
    AGAINST,
    FOR,
    GREEN,
    NOTE,
    OUTLINE,
    Colour,
    hex_colour,
)
from medattn.figures.maps import colour_scale, grey, outline_rgba, relevance_rgba

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

USED, EVIDENCE = GREEN, OUTLINE
EXTENT = (0, 1, 1, 0)


class KnownUse(NamedTuple):
    """One row of `known_use_figure`.

    Attributes:
        title: The network, in words.
        image: `(height, width, 3)`, in [0, 1], of any size.
        used: What the network uses, `(size, size)`, bool.
        evidence: What it should use, same shape.
        maps: From each method to its pixel relevance, `(size, size)`.
        notes: From each method to a line below its map.
    """

    title: str
    image: np.ndarray
    used: np.ndarray
    evidence: np.ndarray
    maps: Mapping[str, np.ndarray]
    notes: Mapping[str, str]


def known_use_figure(rows: Sequence[KnownUse], methods: Sequence[str]) -> "Figure":
    """Draws images of networks whose use is known, with their maps.

    Args:
        rows: One image a network.
        methods: Titles of the columns of maps; a method that a row lacks stays empty.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    columns = 3 + len(methods)
    figure = Figure(figsize=(1.95 * columns, 2.3 * len(rows) + 0.5), dpi=110)
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.03)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes, row in zip(grid, rows, strict=True):
        shown, used, should, *others = axes
        shown.imshow(row.image, extent=EXTENT, interpolation="bilinear")
        shown.set_ylabel(row.title, fontsize=9)
        _filled(used, row.image, row.used, USED)
        _filled(should, row.image, row.evidence, EVIDENCE)
        for one, method in zip(others, methods, strict=True):
            if method in row.maps:
                _map(one, row, method)
            else:
                one.text(0.5, 0.5, "no map", ha="center", color=NOTE, fontsize=9)
    heads = ("image", "uses", "should use", *methods)
    for one, head in zip(grid[0], heads, strict=True):
        one.set_title(head.replace("_", " "), fontsize=10)
    for one in grid.flat:
        one.set_xticks([])
        one.set_yticks([])
        one.set_frame_on(False)
    colours = {
        "pixels that the network uses": USED,
        "evidence": EVIDENCE,
        "map: for the class": FOR,
        "against": AGAINST,
    }
    figure.legend(  # type: ignore[call-overload]
        handles=[
            Patch(facecolor=hex_colour(colour), label=label)
            for label, colour in colours.items()
        ],
        loc="outside upper left",
        ncols=len(colours),
        fontsize=9,
        frameon=False,
    )
    return figure


def _filled(axes: "Axes", image: np.ndarray, mask: np.ndarray, colour: Colour) -> None:
    """Fills a mask on the pale image."""
    axes.imshow(grey(image), extent=EXTENT, interpolation="bilinear")
    layer = np.zeros((*mask.shape, 4), np.uint8)
    layer[mask] = (*colour, 255)
    axes.imshow(layer, extent=EXTENT, interpolation="nearest")


def _map(axes: "Axes", row: KnownUse, method: str) -> None:
    """Draws one map, what is used outlined, and its note."""
    relevance = row.maps[method]
    axes.imshow(grey(row.image), extent=EXTENT, interpolation="bilinear")
    axes.imshow(
        relevance_rgba(relevance, colour_scale(relevance)),
        extent=EXTENT,
        interpolation="nearest",
    )
    lines = outline_rgba(row.used, zoom=16, colour=USED)
    axes.imshow(lines, extent=EXTENT, interpolation="bilinear")
    axes.set_xlabel(row.notes.get(method, ""), fontsize=8, color=NOTE)
