"""The course's figures: rows of images, maps of scores, matrices, lines, bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from medattn.figures import grey

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, distinguishable with colour blindness; dashes help in grey.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
COLOURMAP = "cividis"  # of values without a sign


def images_figure(
    images: Sequence[np.ndarray],
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
) -> Figure:
    """Draws images beside each other.

    Args:
        images: Each `(height, width, 3)`, in [0, 1], or `(height, width)`, grey.
        titles: The title of each image.
        columns: Images in a row; all of them, unless given.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    columns = columns or len(images)
    rows = -(-len(images) // columns)
    figure, axes = _panels(rows, columns, wide=2.3, tall=2.6)
    for index, axis in enumerate(axes):
        if index < len(images):
            axis.imshow(images[index], cmap="gray", vmin=0, vmax=1)
            axis.set_title(titles[index] if titles else "", fontsize=9)
        axis.set_axis_off()
    return figure


def maps_figure(
    images: Sequence[np.ndarray | None],
    maps: Sequence[np.ndarray],
    titles: Sequence[str],
    *,
    label: str,
    low: float | None = None,
    high: float | None = None,
    columns: int | None = None,
) -> Figure:
    """Draws maps without a sign over images, all on one colour scale.

    Args:
        images: The image below each map, `(height, width, 3)`, in [0, 1], or None.
        maps: Each `(rows, columns)`, of any size.
        titles: The title of each map.
        label: Label of the colour bar.
        low: Lower end of the scale; the minimum of all maps, unless given.
        high: Upper end of the scale; the maximum of all maps, unless given.
        columns: Maps in a row; all of them, unless given.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    low = min(float(np.min(one)) for one in maps) if low is None else low
    high = max(float(np.max(one)) for one in maps) if high is None else high
    scale = Normalize(low, high if high > low else low + 1e-9)
    columns = columns or len(maps)
    figure, axes = _panels(-(-len(maps) // columns), columns, wide=2.4, tall=2.5)
    extent = (0, 1, 1, 0)
    for index, axis in enumerate(axes):
        if index < len(maps):
            image, alpha = images[index], 1.0
            if image is not None:
                axis.imshow(grey(image), extent=extent)
                alpha = 0.8
            axis.imshow(
                maps[index], extent=extent, cmap=COLOURMAP, norm=scale, alpha=alpha
            )
            axis.set_title(titles[index], fontsize=9)
        axis.set_axis_off()
    bar = figure.colorbar(
        ScalarMappable(scale, COLOURMAP), ax=axes, fraction=0.03, aspect=25
    )
    bar.set_label(label, fontsize=9)
    return figure


def matrix_figure(
    matrices: Sequence[np.ndarray],
    rows: Sequence[Sequence[str]],
    columns: Sequence[Sequence[str]],
    titles: Sequence[str] | None = None,
    *,
    x: str,
    y: str,
    label: str = "weight",
) -> Figure:
    """Draws matrices of numbers in [0, 1], such as attention from rows to columns.

    Args:
        matrices: Each `(rows, columns)`, in [0, 1].
        rows: Names of the rows of each matrix.
        columns: Names of the columns of each matrix.
        titles: The title of each matrix.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        label: Label of the colour bar.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    wide = max(2.6, 0.26 * max(len(words) for words in columns) + 1)
    tall = max(2.4, 0.26 * max(len(words) for words in rows) + 1)
    figure, axes = _panels(1, len(matrices), wide=wide, tall=tall)
    for index, axis in enumerate(axes):
        picture = axis.imshow(matrices[index], cmap=COLOURMAP, vmin=0, vmax=1)
        axis.set_xticks(range(len(columns[index])), columns[index], fontsize=8)
        axis.set_yticks(range(len(rows[index])), rows[index], fontsize=8)
        axis.set_xlabel(x, fontsize=9)
        axis.set_title(titles[index] if titles else "", fontsize=9)
    axes[0].set_ylabel(y, fontsize=9)
    figure.colorbar(picture, ax=axes, fraction=0.03, aspect=25).set_label(label)
    return figure


def lines_figure(
    series: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    x: str,
    y: str,
    ticks: Sequence[str] | None = None,
) -> Figure:
    """Draws named lines, each with its own dashes.

    Args:
        series: `{name: (xs, ys)}`.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        ticks: Labels of the horizontal axis at 0, 1, ..., or None for numbers.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, (axis,) = _panels(1, 1, wide=6.2, tall=3.4)
    for index, (name, (xs, ys)) in enumerate(series.items()):
        style = dict(color=COLOURS[index % 6], ls=DASHES[index % 6])
        axis.plot(xs, ys, marker="o", ms=3.5, label=name, **style)
    if ticks is not None:
        axis.set_xticks(range(len(ticks)), ticks, fontsize=8, rotation=20, ha="right")
    _label_axes(axis, x, y)
    axis.legend(frameon=False, fontsize=8.5, loc="best")
    return figure


def bars_figure(
    values: Mapping[str, float],
    *,
    label: str,
    line: float | None = None,
    line_label: str = "",
) -> Figure:
    """Draws horizontal bars from the top down, with a baseline.

    Args:
        values: `{name: value}`.
        label: Label of the horizontal axis.
        line: The baseline, dashed, or None.
        line_label: Name of the baseline.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, (axis,) = _panels(1, 1, wide=6.6, tall=0.8 + 0.34 * len(values))
    positions = np.arange(len(values))
    axis.barh(positions, list(values.values()), color=COLOURS[1], height=0.6)
    axis.set_yticks(positions, list(values))
    axis.invert_yaxis()
    for index, value in enumerate(values.values()):
        box = dict(facecolor="white", edgecolor="none", pad=0.5)
        end = (value, index)
        axis.annotate(f" {value:.3g}", end, va="center", fontsize=8.5, bbox=box)
    if line is not None:
        axis.axvline(line, color=COLOURS[2], ls="--", label=line_label)
        figure.legend(frameon=False, fontsize=8.5, loc="outside upper right")
    axis.margins(x=0.12)
    _label_axes(axis, label, "")
    return figure


def _panels(
    rows: int, columns: int, *, wide: float, tall: float
) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    size = (wide * columns + 0.4, tall * rows + 0.2)
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    return figure, list(np.ravel(figure.subplots(rows, columns, squeeze=False)))


def _label_axes(axis: Axes, x: str, y: str) -> None:
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
