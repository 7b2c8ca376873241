"""Small charts as SVG in the page's own colours: numbers in, text out."""

from dataclasses import dataclass, field
from html import escape

import numpy as np

WIDTH, HEIGHT = 560, 310
LEFT, RIGHT, TOP, BOTTOM = 60, 16, 12, 54
# Colour, dash and mark together: each alone would tell the lines apart.
DASHES = ("", "7 4", "2 4", "10 3 2 3", "4 2", "1 3")
MARKS = ("circle", "square", "diamond", "triangle", "cross", "ring")


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: In the legend.
        points: `[(x, y)]`; where y is None or NaN the line has a gap.
        look: Which colour, dash and mark, a number from 0.
        low, high: Ends of a band around the line, one a point, or empty.
        marks: Whether each point is marked.
    """

    name: str
    points: list
    look: int = 0
    low: list = field(default_factory=list)
    high: list = field(default_factory=list)
    marks: bool = True


def line_chart(
    lines, *, x, y, x_label, y_label, alt, ticks=None, diagonal=False, at=None
):
    """Draws lines over two axes.

    Args:
        lines: A list of `Line`s.
        x, y: `(from, to)` of the axes.
        x_label, y_label: What they show.
        alt: The chart in a sentence, for those who do not see it.
        ticks: `[(x, text)]` below the axis; five even ones unless given.
        diagonal: Whether to draw the line on which y = x.
        at: x of an upright line, such as where a slider stands, or None.

    Returns:
        HTML without scripts: a figure and its legend.
    """
    place = _places(x, y)
    parts = [_axes(place, x, y, ticks, x_label, y_label)]
    if diagonal:
        ends = place(max(x[0], y[0]), max(x[0], y[0])), place(x[1], min(x[1], y[1]))
        parts.append(_path(ends, "ma-chart-even"))
    if at is not None:
        parts.append(_path((place(at, y[0]), place(at, y[1])), "ma-chart-at"))
    parts += [_band(line, place) for line in lines if line.low]
    parts += [_line(line, place) for line in lines]
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


def _places(x, y):
    def place(a, b):
        wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return (
            LEFT + wide * (a - x[0]) / (x[1] - x[0]),
            TOP + tall * (1 - (b - y[0]) / (y[1] - y[0])),
        )

    return place


def _axes(place, x, y, ticks, x_label, y_label):
    parts = []
    for value in even_steps(*y):
        _, height = place(x[0], value)
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
        across, _ = place(value, y[0])
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


def even_steps(low, high, most=6):
    """Finds round numbers from low to high, at most so many of them."""
    span = high - low
    size = 10.0 ** np.floor(np.log10(span / (most - 1)))
    step = next(k * size for k in (1, 2, 2.5, 5, 10) if span / (k * size) <= most - 1)
    first = np.ceil(low / step - 1e-9)
    count = int(np.floor(high / step + 1e-9) - first) + 1
    return [round(float((first + k) * step), 10) for k in range(count)]


def _line(line, place):
    drawn, run = [], []
    for a, b in [*line.points, (0, None)]:
        if b is not None and b == b:
            run.append(place(a, b))
            continue
        if len(run) > 1:
            drawn.append(_stroke(run, line.look))
        if line.marks:
            drawn += [_mark(*point, line.look) for point in run]
        run = []
    return f"<g>{''.join(drawn)}</g>"


def _band(line, place):
    across = [a for a, _ in line.points]
    above = [place(a, b) for a, b in zip(across, line.high, strict=True)]
    below = [place(a, b) for a, b in zip(across, line.low, strict=True)]
    ring = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*above, *below[::-1]])
    look = line.look % len(MARKS)
    return f'<polygon class="ma-chart-band ma-look-{look}" points="{ring}"/>'


def _stroke(points, look):
    dash = DASHES[look % len(DASHES)]
    return _path(points, f"ma-chart-line ma-look-{look % len(MARKS)}", dash)


def _path(points, kind, dash=""):
    way = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline class="{kind}" points="{way}"{dashed}/>'


def _mark(a, b, look):
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


def number(value):
    """Writes a number as briefly as it allows, with a minus of its own width."""
    return f"{value:.3g}".replace("-", "−")
