"""Maps: relevance in two colours with a fixed zero."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from medattn.figures.colours import AGAINST, FOR, OUTLINE, ZERO, Colour, hex_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PERCENTILE = 99.5  # of |R|, at which colours are full


def pixel_relevance(relevance: np.ndarray) -> np.ndarray:
    """Sums relevance over the channels of a pixel, which conserves the sum.

    Args:
        relevance: `(..., height, width, channels)`.

    Returns:
        `(..., height, width)`.
    """
    return np.asarray(relevance).sum(axis=-1)


def colour_scale(*maps: np.ndarray, percentile: float = PERCENTILE) -> float:
    """Computes one scale for several maps, so that their colours mean the same.

    Args:
        *maps: Pixel relevance, `(height, width)` each, in logits.
        percentile: Of |R| over all maps, in (0, 100], at which colours are full.

    Returns:
        The relevance at which colours are full, a number > 0.
    """
    sizes = np.concatenate([np.abs(np.ravel(one)) for one in maps])
    return float(np.percentile(sizes, percentile)) or 1e-12


def relevance_rgba(relevance: np.ndarray, scale: float) -> np.ndarray:
    """Colours a map: vermilion speaks for the class, blue against, zero is clear.

    Args:
        relevance: Pixel relevance, `(height, width)`.
        scale: Relevance at which colours are full.

    Returns:
        `(height, width, 4)`, uint8; opacity is `|R| / scale`, at most full.
    """
    strength = np.clip(np.abs(relevance) / scale, 0, 1)
    pro, against = np.array(FOR, np.uint8), np.array(AGAINST, np.uint8)
    colour = np.where((relevance > 0)[..., None], pro, against)
    opacity = np.rint(255 * strength).astype(np.uint8)
    return np.concatenate([colour, opacity[..., None]], axis=-1)


def outline_rgba(
    mask: np.ndarray, *, zoom: int = 8, colour: Colour = OUTLINE
) -> np.ndarray:
    """Draws the border of the evidence as thin lines on transparent ground.

    Args:
        mask: `(height, width)`, bool.
        zoom: Pixels of the result a pixel of the mask, so that lines are thin.
        colour: Of the lines, `(red, green, blue)`, 0 to 255.

    Returns:
        `(zoom * height, zoom * width, 4)`, uint8.
    """
    from skimage.morphology import dilation, footprint_rectangle

    large = np.kron(np.asarray(mask, bool), np.ones((zoom, zoom), bool))
    # Around the evidence, not on it: the relevance inside stays visible.
    line = dilation(large, footprint_rectangle((5, 5))) & ~large
    outline = np.zeros((*large.shape, 4), np.uint8)
    outline[line] = (*colour, 255)
    return outline


def grey(image: np.ndarray) -> np.ndarray:
    """Makes an image grey and pale, so that only relevance has colour.

    Args:
        image: `(height, width, 3)`, float in [0, 1].

    Returns:
        `(height, width, 3)`, float in [0.25, 1].
    """
    light = np.asarray(image) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.repeat((0.25 + 0.75 * light)[..., None], 3, axis=-1)


def explanation_figure(
    image: np.ndarray,
    relevance: np.ndarray,
    *,
    title: str,
    lines: Sequence[str] = (),
    mask: np.ndarray | None = None,
) -> "Figure":
    """Draws an image, its relevance beside it, one colour bar, and text below.

    Args:
        image: `(height, width, 3)`, in [0, 1], of any size.
        relevance: Pixel relevance, `(size, size)`, in logits.
        title: The prediction.
        lines: Further lines of text, below.
        mask: Evidence, `(size, size)`, bool, or None.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from matplotlib.figure import Figure

    scale = colour_scale(relevance)
    figure = Figure(
        figsize=(9.6, 5.4 + 0.22 * len(lines)), dpi=150, layout="constrained"
    )
    figure.suptitle(title, fontsize=15, x=0.02, ha="left")
    left, right = figure.subplots(1, 2)
    left.imshow(image, interpolation="nearest")
    left.set_title("what was shown", fontsize=11)
    _overlay(right, image, relevance, scale, mask)
    right.set_title("what moved the model", fontsize=11)
    if mask is not None and mask.any():
        right.set_title("what moved the model; evidence outlined", fontsize=11)
    for axes in (left, right):
        axes.set_axis_off()
    against, pro = (np.array(colour) / 255 for colour in (AGAINST, FOR))
    stops = [against, np.array(ZERO), pro]
    colours = LinearSegmentedColormap.from_list("relevance", stops)
    bar = figure.colorbar(
        ScalarMappable(Normalize(-scale, scale), colours),
        ax=[left, right],
        orientation="horizontal",
        fraction=0.05,
        aspect=50,
        ticks=[-scale, 0, scale],
    )
    bar.set_ticklabels([f"−{scale:.2g}", "0", f"+{scale:.2g}"])
    bar.set_label("relevance of a pixel, logits: against  <  0  <  for")
    if lines:
        figure.supxlabel("\n".join(lines), fontsize=10, x=0.02, ha="left")
    return figure


def explanation_grid(
    images: Sequence[np.ndarray],
    relevance: Sequence[Sequence[np.ndarray]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    notes: Sequence[Sequence[str]] | None = None,
    masks: Sequence[np.ndarray | None] | None = None,
    lines: Sequence[str] = (),
) -> "Figure":
    """Draws several images, one a row, by several methods, one a column.

    Every map has its own scale, written below it: the methods' units differ.

    Args:
        images: `(height, width, 3)` each, in [0, 1].
        relevance: For each image and each method `(size, size)`, in logits.
        rows: Title of each image.
        columns: Names of the methods.
        notes: For each image and each method a line, such as its audit.
        masks: Evidence for each image, `(size, size)`, bool, or None.
        lines: Further lines of text, below.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    wide = max(3.2 * (len(columns) + 1), 7.0)
    tall = 3.75 * len(images) + 0.22 * len(lines) + 0.6
    figure = Figure(figsize=(wide, tall), dpi=110, layout="constrained")
    grid = figure.subplots(len(images), len(columns) + 1, squeeze=False)
    for row, (image, maps) in enumerate(zip(images, relevance, strict=True)):
        mask = masks[row] if masks else None
        left, *others = grid[row]
        left.imshow(image, extent=(0, 1, 1, 0), interpolation="nearest")
        left.set_title(rows[row], fontsize=9)
        for column, (axes, one) in enumerate(zip(others, maps, strict=True)):
            scale = colour_scale(one)
            _overlay(axes, image, one, scale, mask)
            axes.set_title(columns[column], fontsize=9)
            note = notes[row][column] if notes else ""
            below = f"full colour at ±{scale:.2g}"
            axes.set_xlabel("\n".join([note, below] if note else [below]), fontsize=7)
        for axes in grid[row]:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_frame_on(False)
    ends = {"speaks for": FOR, "speaks against": AGAINST}
    if masks and any(mask is not None and mask.any() for mask in masks):
        ends["evidence"] = OUTLINE
    figure.legend(  # type: ignore[call-overload]
        handles=[
            Patch(facecolor=hex_colour(colour), label=label)
            for label, colour in ends.items()
        ],
        loc="outside upper left",
        ncols=len(ends),
        fontsize=8,
        frameon=False,
    )
    if lines:
        figure.supxlabel("\n".join(lines), fontsize=9, x=0.02, ha="left")
    return figure


def _overlay(
    axes: "Axes",
    image: np.ndarray,
    relevance: np.ndarray,
    scale: float,
    mask: np.ndarray | None,
) -> None:
    """Draws relevance, and the outline of the evidence, on the pale image."""
    extent = (0, 1, 1, 0)
    axes.imshow(grey(image), extent=extent, interpolation="bilinear")
    axes.imshow(
        relevance_rgba(relevance, scale), extent=extent, interpolation="nearest"
    )
    if mask is not None and mask.any():
        axes.imshow(outline_rgba(mask), extent=extent, interpolation="nearest")


def contact_sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Arranges images of one size in rows.

    Args:
        images: `(n, height, width, channels)`; n a multiple of `columns`.
        columns: Images in a row.

    Returns:
        `(n / columns * height, columns * width, channels)`.
    """
    images = np.asarray(images)
    count, height, width, channels = images.shape
    if count % columns:
        raise ValueError(
            f"The images do not fill the sheet. Expected a multiple of {columns}. "
            f"Received: {count}"
        )
    rows = images.reshape(count // columns, columns, height, width, channels)
    return rows.swapaxes(1, 2).reshape(-1, columns * width, channels)


def png_bytes(pixels: np.ndarray) -> bytes:
    """Encodes an RGB or RGBA array without loss.

    Args:
        pixels: `(height, width, 3 or 4)`, uint8, or float in [0, 1].

    Returns:
        The bytes of a PNG file.
    """
    from PIL import Image

    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8:
        pixels = np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
