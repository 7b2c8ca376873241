"""Small charts as SVG in the page's own colours: numbers in, text out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

WIDTH, HEIGHT = 560, 310
LEFT, RIGHT, TOP, BOTTOM = 60, 16, 12, 54
Point = tuple[float, float]
Tick = tuple[float, str]
ToPixels = Callable[[float, float], Point]
# Colour, dash and mark together: each alone distinguishes the lines.
DASHES = ("", "7 4", "2 4", "10 3 2 3", "4 2", "1 3")
MARKS = ("circle", "square", "diamond", "triangle", "cross", "ring")


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: In the legend.
        points: `[(x, y)]`; where y is None or NaN the line has a gap.
        look: Which colour (`line-<look>` of `colours.py`), dash and mark, from 0.
        low, high: Ends of a band around the line, one a point, or empty.
        marks: Whether each point is marked.
    """

    name: str
    points: Sequence[tuple[float, float | None]]
    look: int = 0
    low: Sequence[float] = field(default_factory=list)
    high: Sequence[float] = field(default_factory=list)
    marks: bool = True


def line_chart(
    lines: Sequence[Line],
    *,
    x: tuple[float, float],
    y: tuple[float, float],
    x_label: str,
    y_label: str,
    alt: str,
    ticks: Sequence[Tick] | None = None,
    diagonal: bool = False,
    at: float | None = None,
) -> str:
    """Draws lines over two axes.

    Args:
        lines: What to draw.
        x, y: `(from, to)` of the axes.
        x_label, y_label: What they show.
        alt: The chart in a sentence, for those who do not see it.
        ticks: `[(x, text)]` below the axis; five even ones unless given.
        diagonal: Whether to draw the line on which y = x.
        at: x of an upright line, such as where a slider stands, or None.

    Returns:
        HTML without scripts: a figure and its legend.
    """
    to_pixels = _to_pixels(x, y)
    parts = [_axes(to_pixels, x, y, ticks, x_label, y_label)]
    if diagonal:
        ends = (
            to_pixels(max(x[0], y[0]), max(x[0], y[0])),
            to_pixels(x[1], min(x[1], y[1])),
        )
        parts.append(_path(ends, "ma-chart-even"))
    if at is not None:
        parts.append(_path((to_pixels(at, y[0]), to_pixels(at, y[1])), "ma-chart-at"))
    parts += [_band(line, to_pixels) for line in lines if line.low]
    parts += [_line(line, to_pixels) for line in lines]
    legend = "".join(
        f'<li><svg viewBox="0 0 36 12" aria-hidden="true">'
        f"{_stroke([(1, 6), (35, 6)], line.look)}"
        f"{_mark(18, 6, line.look) if line.marks else ''}</svg>{escape(line.name)}</li>"
        for line in lines
        if line.name
    )
    legend = f'<ul class="ma-chart-legend">{legend}</ul>' if legend else ""
    return (
        f'<figure class="ma-chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(alt)}">{"".join(parts)}</svg>{legend}</figure>'
    )


def _to_pixels(x: tuple[float, float], y: tuple[float, float]) -> ToPixels:
    def to_pixels(a: float, b: float) -> Point:
        wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return (
            LEFT + wide * (a - x[0]) / (x[1] - x[0]),
            TOP + tall * (1 - (b - y[0]) / (y[1] - y[0])),
        )

    return to_pixels


def _axes(
    to_pixels: ToPixels,
    x: tuple[float, float],
    y: tuple[float, float],
    ticks: Sequence[Tick] | None,
    x_label: str,
    y_label: str,
) -> str:
    parts = []
    for value in even_steps(*y):
        _, height = to_pixels(x[0], value)
        parts.append(
            f'<line class="ma-chart-grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
            f'y1="{height:.1f}" y2="{height:.1f}"/>'
            f'<text x="{LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">'
            f"{number(value)}</text>"
        )
    if ticks is None:
        even = [x[0] + (x[1] - x[0]) * step / 4 for step in range(5)]
        ticks = [(value, number(value)) for value in even]
    for value, text in ticks:
        across, _ = to_pixels(value, y[0])
        parts.append(
            f'<text x="{across:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">'
            f"{escape(text)}</text>"
        )
    middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
    parts.append(
        f'<text x="{LEFT + (WIDTH - LEFT - RIGHT) / 2}" y="{HEIGHT - 6}" '
        f'class="ma-chart-label" text-anchor="middle">{escape(x_label)}</text>'
        f'<text transform="translate(12 {middle}) rotate(-90)" '
        f'class="ma-chart-label" text-anchor="middle">{escape(y_label)}</text>'
    )
    return "".join(parts)


def even_steps(low: float, high: float, limit: int = 6) -> list[float]:
    """Finds round numbers from low to high, at most so many of them."""
    span = high - low
    size = 10.0 ** np.floor(np.log10(span / (limit - 1)))
    step = next(k * size for k in (1, 2, 2.5, 5, 10) if span / (k * size) <= limit - 1)
    first = np.ceil(low / step - 1e-9)
    count = int(np.floor(high / step + 1e-9) - first) + 1
    return [round(float((first + k) * step), 10) for k in range(count)]


def _line(line: Line, to_pixels: ToPixels) -> str:
    parts: list[str] = []
    run: list[Point] = []
    for a, b in [*line.points, (0, None)]:
        if b is not None and b == b:
            run.append(to_pixels(a, b))
            continue
        if len(run) > 1:
            parts.append(_stroke(run, line.look))
        if line.marks:
            parts += [_mark(*point, line.look) for point in run]
        run = []
    return f"<g>{''.join(parts)}</g>"


def _band(line: Line, to_pixels: ToPixels) -> str:
    across = [a for a, _ in line.points]
    above = [to_pixels(a, b) for a, b in zip(across, line.high, strict=True)]
    below = [to_pixels(a, b) for a, b in zip(across, line.low, strict=True)]
    ring = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*above, *below[::-1]])
    look = line.look % len(MARKS)
    return f'<polygon class="ma-chart-band ma-look-{look}" points="{ring}"/>'


def _stroke(points: Sequence[Point], look: int) -> str:
    dash = DASHES[look % len(DASHES)]
    return _path(points, f"ma-chart-line ma-look-{look % len(MARKS)}", dash)


def _path(points: Sequence[Point], kind: str, dash: str = "") -> str:
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline class="{kind}" points="{path}"{dashed}/>'


def _mark(a: float, b: float, look: int) -> str:
    kind = MARKS[look % len(MARKS)]
    style = f'class="ma-chart-mark ma-look-{look % len(MARKS)}"'
    if kind == "circle":
        return f'<circle {style} cx="{a:.1f}" cy="{b:.1f}" r="4"/>'
    if kind == "ring":
        return f'<circle {style} fill-opacity="0" cx="{a:.1f}" cy="{b:.1f}" r="4"/>'
    shape = {
        "square": "M-4 -4h8v8h-8z",
        "diamond": "M0 -5l5 5l-5 5l-5 -5z",
        "triangle": "M0 -5l5 9h-10z",
        "cross": "M-4 -4l8 8M4 -4l-8 8",
    }[kind]
    return f'<path {style} transform="translate({a:.1f} {b:.1f})" d="{shape}"/>'


def number(value: float) -> str:
    """Writes a number as briefly as it allows, with a minus of its own width."""
    return f"{value:.3g}".replace("-", "−")
