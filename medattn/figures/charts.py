"""Charts: the study's metrics, calibration, differences and training curves."""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from medattn.figures.colours import (
    DETAIL,
    GATE_COLOURS,
    GRID,
    MAIN,
    NEGLIGIBLE,
    NOTE,
    PAPER,
    REFERENCE,
    TRAINING,
    VALIDATION,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# (regime, mean, low, high); the interval may be unknown.
Point = tuple[float, float, float | None, float | None]
Series = Mapping[str, Sequence[Point]]

GATES = tuple(GATE_COLOURS)  # one colour each; trunks have markers, for grey print
GATE_NAMES = {"none": "no gate", "se": "SE", "cbam": "CBAM", "deit": "transformer"}
TRUNKS = {"densenet": "s", "resnet": "o", "deit": "^"}
TRUNK_NAMES = {"densenet": "DenseNet", "resnet": "ResNet", "deit": "DeiT"}
MINIMUM_IMAGES = 20  # in a bin of the calibration that is drawn


def model_look(model: str) -> tuple[str, str]:
    """Returns the gate and the trunk of a network, from its name."""
    trunk = next((name for name in TRUNKS if name in model), "resnet")
    gate = next((g for g in ("se", "cbam") if model.startswith(f"{g}_")), "none")
    return ("deit" if trunk == "deit" else gate), trunk


def regime_figure(
    panels: Mapping[str, Series],
    *,
    label: str,
    majority: Mapping[str, float] | None = None,
    hollow: Sequence[str] = (),
    share: bool = False,
) -> "Figure":
    """Draws a metric against the amount of training data, one panel a data set.

    Args:
        panels: `{data set: {series: [(regime, mean, low, high)]}}`; a series is a
            network's name, low and high may be None.
        label: What the vertical axis shows.
        majority: `{data set: value}` of a dashed line: always the commoner class.
        hollow: Series with hollow markers: those with random initial weights.
        share: Whether the panels share one vertical axis.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, axes = _panels(len(panels), height=3.7, share=share)
    regimes = _regimes(panels)
    styles: dict[str, dict[str, Any]] = {}
    for axis, (title, series) in zip(axes, panels.items(), strict=True):
        for number, (name, points) in enumerate(series.items()):
            gate, trunk = model_look(name)
            style = dict(color=GATE_COLOURS[gate], marker=TRUNKS[trunk], markersize=5)
            style["markerfacecolor"] = "white" if name in hollow else GATE_COLOURS[gate]
            offset = 0.05 * (number - (len(series) - 1) / 2)
            _draw_series(axis, points, regimes, offset, style)
            styles[name] = style
        if majority and majority.get(title) is not None:
            axis.axhline(majority[title], color=REFERENCE, ls="--", lw=1.2)
            _note_on_line(axis, "always the commoner class", majority[title])
        axis.set_title(title, fontsize=11, loc="left")
        _regime_axis(axis, regimes)
        axis.margins(y=0.12)
    axes[0].set_ylabel(label)
    names = {n: n + (" (random start)" if n in hollow else "") for n in styles}
    _legend(figure, {names[name]: style for name, style in styles.items()})
    return figure


def measure_figure(
    grid: Mapping[str, Mapping[str, Series]],
    *,
    levels: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None,
) -> "Figure":
    """Draws several measures of one kind of network: rows of measures, columns of data.

    Args:
        grid: `{measure: {data set: {gate: [(regime, mean, low, high)]}}}`; a gate is a
            key of `GATES`.
        levels: `{measure: {data set: {name: value}}}`, baselines without a network:
            the first name is dashed, the second dotted.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    datasets = list(dict.fromkeys(d for panels in grid.values() for d in panels))
    width = 3.4 * len(datasets) if len(datasets) > 1 else 5.0
    figure = Figure(figsize=(width, 1.9 * len(grid) + 0.7), layout="constrained")
    axes = figure.subplots(len(grid), len(datasets), squeeze=False, sharex=True)
    styles: dict[str, dict[str, Any]] = {}
    for row, (measure, panels) in enumerate(grid.items()):
        regimes = _regimes(panels)
        for axis, dataset in zip(axes[row], datasets, strict=True):
            _bare(axis)
            axis.grid(axis="y", color=GRID)
            axis.set_axisbelow(True)
            series = panels.get(dataset, {})
            for number, (gate, points) in enumerate(series.items()):
                style: dict[str, Any] = dict(
                    color=GATE_COLOURS[gate], marker="o", markersize=4.5
                )
                offset = 0.07 * (number - (len(series) - 1) / 2)
                _draw_series(axis, points, regimes, offset, style)
                styles[GATE_NAMES[gate]] = style
            known = (levels or {}).get(measure, {}).get(dataset, {})
            for (name, value), dashes in zip(known.items(), ("--", ":"), strict=False):
                style = dict(color=REFERENCE, ls=dashes, lw=1.3)
                axis.axhline(value, **style)
                styles[name] = style
            if row == 0:
                axis.set_title(dataset, fontsize=11, loc="left")
            if row == len(grid) - 1:
                _regime_axis(axis, regimes)
            axis.margins(y=0.15)
        axes[row, 0].set_ylabel(measure, fontsize=9.5)
    figure.align_ylabels(axes[:, 0])
    _legend(figure, styles, columns=max(3, 2 * len(datasets)))
    return figure


# How a network was trained and tested, and the marker of each case.
TESTS = {
    "trained where the artefact means nothing": dict(marker="o", ls=""),
    "trained with the shortcut, tested where it means nothing": dict(
        marker="o", ls="", markerfacecolor="white"
    ),
    "trained with the shortcut, tested where it still holds": dict(marker="^", ls=""),
}


def shortcut_figure(
    panels: Mapping[
        str, Mapping[str, Sequence[tuple[float, float | None, float | None] | None]]
    ],
) -> "Figure":
    """Draws the reliance on a shortcut: three AUROCs a gate, one panel a data set.

    Args:
        panels: `{data set: {gate: [(mean, low, high), ...]}}`, three points in the
            order of `TESTS`; one that is not known is None.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, axes = _panels(len(panels), height=3.5, share=True)
    for axis, (title, gates) in zip(axes, panels.items(), strict=True):
        for x, (gate, points) in enumerate(gates.items()):
            colour = GATE_COLOURS[gate]
            ends = [p[0] for p in points[:2] if p is not None]
            if len(ends) == 2:
                axis.plot([x - 0.2, x], ends, color=colour, lw=1)
            for offset, point, style in zip(
                (-0.2, 0.0, 0.2), points, TESTS.values(), strict=True
            ):
                if point is None:
                    continue
                mean, low, high = point
                if low is not None and high is not None and np.isfinite(low):
                    bar = [low, min(high, 1.0)]
                    axis.plot([x + offset] * 2, bar, color=colour, lw=1.4)
                axis.plot([x + offset], [mean], color=colour, ms=6, **style)
        axis.set_title(title, fontsize=11, loc="left")
        axis.set_xticks(range(len(gates)), [GATE_NAMES[gate] for gate in gates])
        axis.set_xlim(-0.6, len(gates) - 0.4)
        axis.margins(y=0.12)
    axes[0].set_ylabel("test AUROC")
    _legend(figure, {n: s | {"color": REFERENCE} for n, s in TESTS.items()}, columns=1)
    return figure


def forest_figure(
    lines: Sequence[tuple], *, label: str, rope: float = 0.01
) -> "Figure":
    """Draws differences with their intervals, and the region that is practically none.

    Args:
        lines: `[(text, mean, low, high, note)]`, from the top down; a line with a note
            (which stands on the right) is a main one, and bold. A line of text alone,
            the rest None, is a heading: bold, with nothing drawn beside it.
        label: What the horizontal axis shows.
        rope: Half the width of the shaded region.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.2, 0.8 + 0.26 * len(lines)), layout="constrained")
    axis = figure.subplots()
    axis.axvspan(-rope, rope, color=NEGLIGIBLE, lw=0)
    axis.axvline(0, color=REFERENCE, lw=1)
    for y, (_, mean, low, high, note) in enumerate(lines):
        if mean is None:
            continue
        excludes_zero = low > 0 or high < 0
        colour, width = (MAIN, 2.4) if note else (DETAIL, 1.5)
        axis.plot([low, high], [y, y], color=colour, lw=width)
        face = colour if excludes_zero else "white"
        axis.plot([mean], [y], "o", ms=6, color=colour, mfc=face)
        axis.annotate(
            note,
            (1.02, y),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=9,
        )
    axis.set_yticks(range(len(lines)), [line[0] for line in lines], fontsize=9)
    for tick, line in zip(axis.get_yticklabels(), lines, strict=True):
        tick.set_fontweight("bold" if line[4] or line[1] is None else "normal")
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=9)
    axis.set_ylim(len(lines) - 0.5, -0.5)
    axis.set_xlabel(label, fontsize=9.5)
    _bare(axis, sides=("top", "right", "left"))
    return figure


def calibration_figure(
    panels: Mapping[str, Mapping[str, tuple[Any, Any, Any]]],
) -> "Figure":
    """Draws the fraction of positives against the predicted probability.

    Args:
        panels: `{title: {series: (mean probability, fraction of positives, images)}}`,
            arrays over bins.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, axes = _panels(len(panels), height=3.6)
    styles: dict[str, dict[str, Any]] = {}
    for axis, (title, series) in zip(axes, panels.items(), strict=True):
        axis.plot([0, 1], [0, 1], color=REFERENCE, lw=1, ls="--")
        for name, (predicted, positive, count) in series.items():
            gate, trunk = model_look(name)
            kept = np.asarray(count) >= MINIMUM_IMAGES
            style = dict(color=GATE_COLOURS[gate], marker=TRUNKS[trunk], markersize=4)
            x, y = np.asarray(predicted)[kept], np.asarray(positive)[kept]
            axis.plot(x, y, lw=1, **style)
            styles[name] = style
        axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axis.set_title(title, fontsize=11, loc="left")
        axis.set_xlabel("predicted probability")
    axes[0].set_ylabel("fraction of positives")
    _legend(figure, styles)
    return figure


def training_figure(history: Sequence[Mapping[str, Any]]) -> "Figure":
    """Draws the loss and the validation metric of one training.

    Args:
        history: A list with one dict a round: `step`, `loss`, `val_loss`, ...

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, (left, right) = _panels(2, height=3.0)
    steps = [line["step"] for line in history]
    for key, colour, name in (
        ("loss", TRAINING, "training"),
        ("val_loss", VALIDATION, "validation"),
    ):
        left.plot(
            steps, [h[key] for h in history], color=colour, marker=".", label=name
        )
    left.set(xlabel="step", ylabel="loss")
    left.legend(frameon=False, fontsize=9)
    key = "val_auroc" if "val_auroc" in history[0] else "val_accuracy"
    right.plot(steps, [h[key] for h in history], color=VALIDATION, marker=".")
    right.set(xlabel="step", ylabel=key.replace("val_", "validation "))
    return figure


def svg(figure: "Figure") -> str:
    """Writes a figure as SVG to include in a page; text stays text."""
    import matplotlib

    stream = io.StringIO()
    # The salt makes the ids in the SVG depend on its content alone, so that the same
    # numbers give the same page.
    options: Any = {"svg.fonttype": "none", "svg.hashsalt": "medattn"}
    with matplotlib.rc_context(options):
        figure.savefig(stream, format="svg", transparent=True)
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return text[text.index("<svg") :]


def _panels(count: int, *, height: float, share: bool = False) -> tuple["Figure", Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * max(count, 2), height + 0.8), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False, sharey=share)[0]
    for axis in axes:
        _bare(axis)
        axis.grid(axis="y", color=GRID)
        axis.set_axisbelow(True)
    return figure, axes


def _regimes(panels: Mapping[str, Series]) -> list[float]:
    """Lists the regimes of all series."""
    return sorted({p[0] for s in panels.values() for ps in s.values() for p in ps})


def _regime_axis(axis: "Axes", regimes: Sequence[float]) -> None:
    axis.set_xticks(range(len(regimes)), [f"{100 * r:g}%" for r in regimes])
    axis.set_xlabel("training data")


def _draw_series(
    axis: "Axes",
    points: Sequence[Point],
    regimes: Sequence[float],
    offset: float,
    style: dict[str, Any],
) -> None:
    """Draws means joined by a line, each with its interval if that is known."""
    x = np.array([regimes.index(p[0]) for p in points], float) + offset
    means = np.array([p[1] for p in points], float)
    for at, point in zip(x, points, strict=True):
        _, _, low, high = point
        if low is not None and high is not None and np.isfinite(low):
            axis.plot([at, at], [low, high], color=style["color"], lw=1.3)
    axis.plot(x, means, lw=1, **style)


def _note_on_line(axis: "Axes", text: str, height: float) -> None:
    from matplotlib.patheffects import withStroke

    note = axis.annotate(
        text,
        (0.98, height),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        fontsize=7.5,
        color=NOTE,
        zorder=5,
    )
    note.set_path_effects([withStroke(linewidth=3, foreground=PAPER)])


def _legend(
    figure: "Figure", styles: Mapping[str, dict[str, Any]], *, columns: int = 4
) -> None:
    from matplotlib.lines import Line2D

    figure.legend(
        [Line2D([], [], **({"lw": 1} | style)) for style in styles.values()],
        list(styles),
        loc="outside lower center",
        ncols=min(columns, max(1, len(styles))),
        frameon=False,
        fontsize=8.5,
    )


def _bare(axis: "Axes", sides: Iterable[str] = ("top", "right")) -> None:
    for side in sides:
        axis.spines[side].set_visible(False)
