"""Learning curves: what networks reach after how many steps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medattn.figures.charts import TRUNKS, legend_below, model_look, panel_row
from medattn.figures.colours import GATE_COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = Sequence[tuple[int, float]]  # (steps, AUROC)


def learning_curve_figure(curves: Mapping[str, Mapping[str, Curve]]) -> "Figure":
    """Draws the validation AUROC against the steps of training, a panel a data set.

    Args:
        curves: `{data set: {network: [(steps, AUROC)]}}`.

    Returns:
        A `matplotlib.figure.Figure`; the last point of a curve is its marker.
    """
    figure, axes = panel_row(len(curves), height=3.4, share=True)
    styles: dict[str, dict[str, Any]] = {}
    for axis, (title, networks) in zip(axes, curves.items(), strict=True):
        for name, points in networks.items():
            gate, trunk = model_look(name)
            style = dict(color=GATE_COLOURS[gate], marker=TRUNKS[trunk], markersize=5)
            steps, reached = zip(*points, strict=True)
            axis.plot(steps, reached, lw=1.2, markevery=[-1], **style)
            styles[name] = style
        axis.set_title(title, fontsize=11, loc="left")
        axis.set_xlabel("steps of training")
        axis.set_xlim(left=0)
    axes[0].set_ylabel("validation AUROC")
    legend_below(figure, styles)
    return figure
