"""The course's pictures: rows of images, maps of scores, matrices, lines, bars."""

import numpy as np

from medattn.figures import grey

# Okabe and Ito, told apart by the colour-blind; the dashes by everybody.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
AMOUNTS = "cividis"  # of amounts without a sign


def images_figure(images, titles=None, *, columns=None):
    """Draws images beside each other.

    Args:
        images: A list of `(height, width, 3)`, in [0, 1], or `(height, width)`, grey.
        titles: What stands above each.
        columns: Images in a row; all of them, unless given.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    columns = columns or len(images)
    rows = -(-len(images) // columns)
    figure, axes = _panels(rows, columns, wide=2.3, tall=2.6)
    for place, axis in enumerate(axes):
        if place < len(images):
            axis.imshow(images[place], cmap="gray", vmin=0, vmax=1)
            axis.set_title(titles[place] if titles else "", fontsize=9)
        axis.set_axis_off()
    return figure


def maps_figure(images, maps, titles, *, label, low=None, high=None, columns=None):
    """Draws maps of amounts over images, on one scale.

    Args:
        images: A list of `(height, width, 3)`, in [0, 1], one a map; a None stands for
            a map without an image below.
        maps: A list of `(rows, columns)` of amounts without a sign, of any size.
        titles: What stands above each.
        label: What the colours say.
        low, high: Ends of the scale; the least and largest value, unless given.
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
    for place, axis in enumerate(axes):
        if place < len(maps):
            image, alpha = images[place], 1.0
            if image is not None:
                axis.imshow(grey(image), extent=extent)
                alpha = 0.8
            axis.imshow(
                maps[place], extent=extent, cmap=AMOUNTS, norm=scale, alpha=alpha
            )
            axis.set_title(titles[place], fontsize=9)
        axis.set_axis_off()
    bar = figure.colorbar(
        ScalarMappable(scale, AMOUNTS), ax=axes, fraction=0.03, aspect=25
    )
    bar.set_label(label, fontsize=9)
    return figure


def matrix_figure(matrices, rows, columns, titles=None, *, x, y, label="weight"):
    """Draws matrices of numbers in [0, 1]: who takes how much from whom.

    Args:
        matrices: A list of `(rows, columns)`, weights in [0, 1].
        rows: A list of words for each matrix: who takes.
        columns: A list of words for each matrix: from whom.
        titles: What stands above each.
        x: What the columns are.
        y: What the rows are.
        label: What the colours say.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    wide = max(2.6, 0.26 * max(len(words) for words in columns) + 1)
    tall = max(2.4, 0.26 * max(len(words) for words in rows) + 1)
    figure, axes = _panels(1, len(matrices), wide=wide, tall=tall)
    for place, axis in enumerate(axes):
        drawn = axis.imshow(matrices[place], cmap=AMOUNTS, vmin=0, vmax=1)
        axis.set_xticks(range(len(columns[place])), columns[place], fontsize=8)
        axis.set_yticks(range(len(rows[place])), rows[place], fontsize=8)
        axis.set_xlabel(x, fontsize=9)
        axis.set_title(titles[place] if titles else "", fontsize=9)
    axes[0].set_ylabel(y, fontsize=9)
    figure.colorbar(drawn, ax=axes, fraction=0.03, aspect=25).set_label(label)
    return figure


def lines_figure(series, *, x, y, ticks=None):
    """Draws lines, each with its own dashes and a name.

    Args:
        series: `{name: (xs, ys)}`.
        x: What the horizontal axis shows.
        y: What the vertical axis shows.
        ticks: Words below the horizontal axis at 0, 1, ..., or None for numbers.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, (axis,) = _panels(1, 1, wide=6.2, tall=3.4)
    for place, (name, (xs, ys)) in enumerate(series.items()):
        style = dict(color=COLOURS[place % 6], ls=DASHES[place % 6])
        axis.plot(xs, ys, marker="o", ms=3.5, label=name, **style)
    if ticks is not None:
        axis.set_xticks(range(len(ticks)), ticks, fontsize=8, rotation=20, ha="right")
    _bare(axis, x, y)
    axis.legend(frameon=False, fontsize=8.5, loc="best")
    return figure


def bars_figure(values, *, label, line=None, line_label=""):
    """Draws amounts as bars from the top down, with a line to beat.

    Args:
        values: `{name: amount}`.
        label: What the bars show.
        line: A value to compare with, dashed, or None.
        line_label: What it is.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, (axis,) = _panels(1, 1, wide=6.6, tall=0.8 + 0.34 * len(values))
    places = np.arange(len(values))
    axis.barh(places, list(values.values()), color=COLOURS[1], height=0.6)
    axis.set_yticks(places, list(values))
    axis.invert_yaxis()
    for place, value in enumerate(values.values()):
        box = dict(facecolor="white", edgecolor="none", pad=0.5)
        at = (value, place)
        axis.annotate(f" {value:.3g}", at, va="center", fontsize=8.5, bbox=box)
    if line is not None:
        axis.axvline(line, color=COLOURS[2], ls="--", label=line_label)
        figure.legend(frameon=False, fontsize=8.5, loc="outside upper right")
    axis.margins(x=0.12)
    _bare(axis, label, "")
    return figure


def _panels(rows, columns, *, wide, tall):
    from matplotlib.figure import Figure

    size = (wide * columns + 0.4, tall * rows + 0.2)
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    return figure, list(np.ravel(figure.subplots(rows, columns, squeeze=False)))


def _bare(axis, x, y):
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
