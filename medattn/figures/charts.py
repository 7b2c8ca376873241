"""Numbers in, chart out: the study's figures in the colours of the maps."""

import io
import re

import numpy as np

# Okabe and Ito: one colour a gate, one marker a trunk; grey print keeps the markers.
GATES = {"none": "#000000", "se": "#0072B2", "cbam": "#D55E00", "deit": "#009E73"}
GATE_NAMES = {"none": "no gate", "se": "SE", "cbam": "CBAM", "deit": "transformer"}
TRUNKS = {"densenet": "s", "resnet": "o", "deit": "^"}
TRUNK_NAMES = {"densenet": "DenseNet", "resnet": "ResNet", "deit": "DeiT"}
GREY = "#777777"
FEWEST = 20  # images in a bin of the calibration that is drawn


def model_look(model):
    """Finds the gate and the trunk by a network's name."""
    trunk = next((name for name in TRUNKS if name in model), "resnet")
    gate = next((g for g in ("se", "cbam") if model.startswith(f"{g}_")), "none")
    return ("deit" if trunk == "deit" else gate), trunk


def regime_figure(panels, *, label, majority=None, hollow=(), share=False):
    """Draws a metric against the amount of training data, one panel a data set.

    Args:
        panels: `{data set: {series: [(regime, mean, low, high)]}}`; a series is a
            network's name, low and high may be None.
        label: What the vertical axis shows.
        majority: `{data set: value}` of a dashed line: always the commoner class.
        hollow: Series whose markers are hollow: started from random weights.
        share: Whether the panels share one vertical axis.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, axes = _panels(len(panels), height=3.7, share=share)
    regimes = _regimes(panels)
    drawn = {}
    for axis, (title, series) in zip(axes, panels.items(), strict=True):
        for number, (name, points) in enumerate(series.items()):
            gate, trunk = model_look(name)
            style = dict(color=GATES[gate], marker=TRUNKS[trunk], markersize=5)
            style["markerfacecolor"] = "white" if name in hollow else GATES[gate]
            aside = 0.05 * (number - (len(series) - 1) / 2)
            _draw_series(axis, points, regimes, aside, style)
            drawn[name] = style
        if majority and majority.get(title) is not None:
            axis.axhline(majority[title], color=GREY, ls="--", lw=1.2)
            _note_on_line(axis, "always the commoner class", majority[title])
        axis.set_title(title, fontsize=11, loc="left")
        _regime_axis(axis, regimes)
        axis.margins(y=0.12)
    axes[0].set_ylabel(label)
    names = {n: n + (" (random start)" if n in hollow else "") for n in drawn}
    _legend(figure, {names[name]: style for name, style in drawn.items()})
    return figure


def measure_figure(grid, *, levels=None):
    """Draws several measures of one kind of network: rows of measures, columns of data.

    Args:
        grid: `{measure: {data set: {gate: [(regime, mean, low, high)]}}}`; a gate is a
            key of `GATES`.
        levels: `{measure: {data set: {name: value}}}`, lines of what needs no network:
            the first name is dashed, the second dotted.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    datasets = list(dict.fromkeys(d for panels in grid.values() for d in panels))
    width = 3.4 * len(datasets) if len(datasets) > 1 else 5.0
    figure = Figure(figsize=(width, 1.9 * len(grid) + 0.7), layout="constrained")
    axes = figure.subplots(len(grid), len(datasets), squeeze=False, sharex=True)
    drawn = {}
    for number, (measure, panels) in enumerate(grid.items()):
        regimes = _regimes(panels)
        for axis, dataset in zip(axes[number], datasets, strict=True):
            _bare(axis)
            axis.grid(axis="y", color="#eeeeee")
            axis.set_axisbelow(True)
            series = panels.get(dataset, {})
            for place, (gate, points) in enumerate(series.items()):
                style = dict(color=GATES[gate], marker="o", markersize=4.5)
                aside = 0.07 * (place - (len(series) - 1) / 2)
                _draw_series(axis, points, regimes, aside, style)
                drawn[GATE_NAMES[gate]] = style
            known = (levels or {}).get(measure, {}).get(dataset, {})
            for (name, value), dashes in zip(known.items(), ("--", ":"), strict=False):
                style = dict(color=GREY, ls=dashes, lw=1.3)
                axis.axhline(value, **style)
                drawn[name] = style
            if number == 0:
                axis.set_title(dataset, fontsize=11, loc="left")
            if number == len(grid) - 1:
                _regime_axis(axis, regimes)
            axis.margins(y=0.15)
        axes[number, 0].set_ylabel(measure, fontsize=9.5)
    figure.align_ylabels(axes[:, 0])
    _legend(figure, drawn, columns=max(3, 2 * len(datasets)))
    return figure


# How a network was trained and tested, and how that is drawn.
TESTS = {
    "trained where the artefact means nothing": dict(marker="o", ls=""),
    "trained with the shortcut, tested where it means nothing": dict(
        marker="o", ls="", markerfacecolor="white"
    ),
    "trained with the shortcut, tested where it still holds": dict(marker="^", ls=""),
}


def shortcut_figure(panels):
    """Draws who falls for a shortcut: three AUROCs a gate, one panel a data set.

    Args:
        panels: `{data set: {gate: [(mean, low, high), ...]}}`, three points in the
            order of `TESTS`; one that is not known is None.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, axes = _panels(len(panels), height=3.5, share=True)
    for axis, (title, gates) in zip(axes, panels.items(), strict=True):
        for place, (gate, points) in enumerate(gates.items()):
            colour = GATES[gate]
            ends = [p[0] for p in points[:2] if p is not None]
            if len(ends) == 2:
                axis.plot([place - 0.2, place], ends, color=colour, lw=1)
            for aside, point, style in zip(
                (-0.2, 0.0, 0.2), points, TESTS.values(), strict=True
            ):
                if point is None:
                    continue
                mean, low, high = point
                if low is not None and np.isfinite(low):
                    bar = [low, min(high, 1.0)]
                    axis.plot([place + aside] * 2, bar, color=colour, lw=1.4)
                axis.plot([place + aside], [mean], color=colour, ms=6, **style)
        axis.set_title(title, fontsize=11, loc="left")
        axis.set_xticks(range(len(gates)), [GATE_NAMES[gate] for gate in gates])
        axis.set_xlim(-0.6, len(gates) - 0.4)
        axis.margins(y=0.12)
    axes[0].set_ylabel("test AUROC")
    _legend(figure, {n: s | {"color": GREY} for n, s in TESTS.items()}, columns=1)
    return figure


def forest_figure(lines, *, label, rope=0.01):
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
    axis.axvspan(-rope, rope, color="#e9e4d4", lw=0)
    axis.axvline(0, color=GREY, lw=1)
    for place, (_, mean, low, high, note) in enumerate(lines):
        if mean is None:
            continue
        sure = low > 0 or high < 0
        colour, width = ("#000000", 2.4) if note else ("#0072B2", 1.5)
        axis.plot([low, high], [place, place], color=colour, lw=width)
        face = colour if sure else "white"
        axis.plot([mean], [place], "o", ms=6, color=colour, mfc=face)
        axis.annotate(
            note,
            (1.02, place),
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


def calibration_figure(panels):
    """Draws how often what a network calls likely is true.

    Args:
        panels: `{title: {series: (mean probability, share of positives, images)}}`,
            arrays over bins.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, axes = _panels(len(panels), height=3.6)
    drawn = {}
    for axis, (title, series) in zip(axes, panels.items(), strict=True):
        axis.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
        for name, (said, true, count) in series.items():
            gate, trunk = model_look(name)
            kept = np.asarray(count) >= FEWEST
            style = dict(color=GATES[gate], marker=TRUNKS[trunk], markersize=4)
            said, true = np.asarray(said)[kept], np.asarray(true)[kept]
            axis.plot(said, true, lw=1, **style)
            drawn[name] = style
        axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axis.set_title(title, fontsize=11, loc="left")
        axis.set_xlabel("probability said")
    axes[0].set_ylabel("share of positives")
    _legend(figure, drawn)
    return figure


def training_figure(history):
    """Draws the course of one training.

    Args:
        history: A list with one dict a round: `step`, `loss`, `val_loss`, ...

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, (left, right) = _panels(2, height=3.0)
    steps = [line["step"] for line in history]
    for key, colour, name in (
        ("loss", "#000000", "training"),
        ("val_loss", "#D55E00", "validation"),
    ):
        left.plot(
            steps, [h[key] for h in history], color=colour, marker=".", label=name
        )
    left.set(xlabel="step", ylabel="loss")
    left.legend(frameon=False, fontsize=9)
    key = "val_auroc" if "val_auroc" in history[0] else "val_accuracy"
    right.plot(steps, [h[key] for h in history], color="#D55E00", marker=".")
    right.set(xlabel="step", ylabel=key.replace("val_", "validation "))
    return figure


def svg(figure):
    """Writes a figure as SVG to stand within a page; words stay words."""
    import matplotlib

    stream = io.StringIO()
    # The salt makes names within the drawing follow from it, so that the same numbers
    # give the same page.
    options = {"svg.fonttype": "none", "svg.hashsalt": "medattn"}
    with matplotlib.rc_context(options):
        figure.savefig(stream, format="svg", transparent=True)
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return text[text.index("<svg") :]


def _panels(count, *, height, share=False):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * max(count, 2), height + 0.8), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False, sharey=share)[0]
    for axis in axes:
        _bare(axis)
        axis.grid(axis="y", color="#eeeeee")
        axis.set_axisbelow(True)
    return figure, axes


def _regimes(panels):
    """Lists the amounts of training data that any series has."""
    return sorted({p[0] for s in panels.values() for ps in s.values() for p in ps})


def _regime_axis(axis, regimes):
    axis.set_xticks(range(len(regimes)), [f"{100 * r:g}%" for r in regimes])
    axis.set_xlabel("training data")


def _draw_series(axis, points, regimes, aside, style):
    """Draws means joined by a line, each with its interval if that is known."""
    place = np.array([regimes.index(p[0]) for p in points], float) + aside
    means = np.array([p[1] for p in points], float)
    for at, point in zip(place, points, strict=True):
        if point[2] is not None and np.isfinite(point[2]):
            axis.plot([at, at], point[2:4], color=style["color"], lw=1.3)
    axis.plot(place, means, lw=1, **style)


def _note_on_line(axis, text, height):
    from matplotlib.patheffects import withStroke

    note = axis.annotate(
        text,
        (0.98, height),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        fontsize=7.5,
        color="#444444",
        zorder=5,
    )
    note.set_path_effects([withStroke(linewidth=3, foreground="#fbfaf7")])


def _legend(figure, drawn, *, columns=4):
    from matplotlib.lines import Line2D

    figure.legend(
        [Line2D([], [], **({"lw": 1} | style)) for style in drawn.values()],
        list(drawn),
        loc="outside lower center",
        ncols=min(columns, max(1, len(drawn))),
        frameon=False,
        fontsize=8.5,
    )


def _bare(axis, sides=("top", "right")):
    for side in sides:
        axis.spines[side].set_visible(False)
