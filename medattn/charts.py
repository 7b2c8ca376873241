"""Numbers in, chart out: the study's figures in the colours of the maps."""

import io

import numpy as np

# Okabe and Ito: one colour a gate, one marker a trunk; grey print keeps the markers.
GATES = {"none": "#000000", "se": "#0072B2", "cbam": "#D55E00", "deit": "#009E73"}
GATE_NAMES = {"none": "no gate", "se": "SE", "cbam": "CBAM", "deit": "transformer"}
TRUNKS = {"densenet": "s", "resnet": "o", "deit": "^"}
TRUNK_NAMES = {"densenet": "DenseNet", "resnet": "ResNet", "deit": "DeiT"}
GREY = "#777777"


def model_look(model):
    """Finds the gate and the trunk by a network's name."""
    trunk = next((name for name in TRUNKS if name in model), "resnet")
    gate = next((g for g in ("se", "cbam") if model.startswith(f"{g}_")), "none")
    return ("deit" if trunk == "deit" else gate), trunk


def regime_figure(panels, *, label, majority=None, hollow=()):
    """Draws a metric against the amount of training data, one panel a data set.

    Args:
        panels: `{data set: {series: [(regime, mean, low, high)]}}`; a series is a
            network's name, low and high may be None.
        label: What the vertical axis shows.
        majority: `{data set: value}` of a dashed line: always the commoner class.
        hollow: Series whose markers are hollow: started from random weights.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure, axes = _panels(len(panels), height=3.7)
    regimes = sorted({p[0] for s in panels.values() for ps in s.values() for p in ps})
    drawn = {}
    for axis, (title, series) in zip(axes, panels.items(), strict=True):
        for number, (name, points) in enumerate(series.items()):
            gate, trunk = model_look(name)
            place = np.array([regimes.index(p[0]) for p in points], float)
            place += 0.05 * (number - (len(series) - 1) / 2)
            means = np.array([p[1] for p in points])
            style = dict(color=GATES[gate], marker=TRUNKS[trunk], markersize=5)
            style["markerfacecolor"] = "white" if name in hollow else GATES[gate]
            known = [p[2] is not None and np.isfinite(p[2]) for p in points]
            if all(known) and points:
                ends = np.array([[p[1] - p[2], p[3] - p[1]] for p in points]).T
                drawn[name] = axis.errorbar(
                    place, means, np.maximum(ends, 0), lw=1, elinewidth=1.4, **style
                )
            else:
                drawn[name] = axis.plot(place, means, lw=1, **style)[0]
        if majority and majority.get(title) is not None:
            axis.axhline(majority[title], color=GREY, ls="--", lw=1.2)
            axis.annotate(
                "always the commoner class",
                (0.98, majority[title]),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                fontsize=7.5,
                color="#555555",
            )
        axis.set_title(title, fontsize=11, loc="left")
        axis.set_xticks(range(len(regimes)), [f"{100 * r:g}%" for r in regimes])
        axis.set_xlabel("training data")
        axis.margins(y=0.12)
    axes[0].set_ylabel(label)
    names = [n + (" (random start)" if n in hollow else "") for n in drawn]
    figure.legend(
        list(drawn.values()),
        names,
        loc="outside lower center",
        ncols=min(4, len(names)),
        frameon=False,
        fontsize=8.5,
    )
    return figure


def forest_figure(lines, *, label, rope=0.01):
    """Draws differences with their intervals, and the region that is practically none.

    Args:
        lines: `[(text, mean, low, high, note)]`, from the top down; a note stands on
            the right. A line of text alone, the rest None, is a heading.
        label: What the horizontal axis shows.
        rope: Half the width of the shaded region.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 0.9 + 0.3 * len(lines)), layout="constrained")
    axis = figure.subplots()
    axis.axvspan(-rope, rope, color="#e9e4d4", lw=0)
    axis.axvline(0, color=GREY, lw=1)
    for place, (_, mean, low, high, note) in enumerate(lines):
        if mean is None:
            continue
        sure = low > 0 or high < 0
        axis.plot([low, high], [place, place], color="#0072B2", lw=2)
        axis.plot(
            [mean], [place], "o", color="#0072B2", mfc="#0072B2" if sure else "white"
        )
        axis.annotate(
            note,
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8.5,
        )
    texts = axis.set_yticks(range(len(lines)), [line[0] for line in lines])
    del texts
    for tick, line in zip(axis.get_yticklabels(), lines, strict=True):
        tick.set_fontweight("bold" if line[1] is None else "normal")
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(len(lines) - 0.5, -0.5)
    axis.set_xlabel(label)
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
            kept = np.asarray(count) >= 5
            drawn[name] = axis.plot(
                np.asarray(said)[kept],
                np.asarray(true)[kept],
                color=GATES[gate],
                marker=TRUNKS[trunk],
                markersize=4,
                lw=1,
            )[0]
        axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axis.set_title(title, fontsize=11, loc="left")
        axis.set_xlabel("probability said")
    axes[0].set_ylabel("share of positives")
    figure.legend(
        list(drawn.values()),
        list(drawn),
        loc="outside lower center",
        ncols=min(4, len(drawn)),
        frameon=False,
        fontsize=8.5,
    )
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
        figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _panels(count, *, height):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * max(count, 2), height + 0.8), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False)[0]
    for axis in axes:
        _bare(axis)
        axis.grid(axis="y", color="#eeeeee")
        axis.set_axisbelow(True)
    return figure, axes


def _bare(axis, sides=("top", "right")):
    for side in sides:
        axis.spines[side].set_visible(False)
