"""The course's figures show the given values."""

import numpy as np

from medattn.teaching import images_figure, lines_figure, maps_figure


def test_figures_show_the_given_values():
    image, low = np.zeros((8, 8, 3)), np.full((2, 2), 0.25)
    figure = maps_figure([image] * 3, [low, 2 * low, 3 * low], "abc", label="weight")
    bar = figure.axes[-1]
    assert bar.get_ylim() == (0.25, 0.75)  # one scale for all
    assert len(images_figure([image] * 5, columns=3).axes) == 6
    axis = lines_figure({"one": ([0, 1], [2, 3])}, x="x", y="y").axes[0]
    assert list(axis.lines[0].get_ydata()) == [2, 3]
