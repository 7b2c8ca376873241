"""The figure of concepts draws one row a channel."""

import numpy as np

from medattn.figures.concepts import ConceptRow, concept_figure


def test_the_figure_has_a_map_and_the_examples_of_each_channel():
    rng = np.random.default_rng(0)
    image, whole = rng.random((8, 8, 3)), rng.normal(size=(8, 8, 3))
    rows = [
        ConceptRow(f"channel {n}", rng.normal(size=(8, 8, 3)), rng.random((2, 8, 8, 3)))
        for n in range(3)
    ]
    figure = concept_figure(image, whole, rows, "diseased: 0.93")
    drawn = [axes for axes in figure.axes if axes.images]
    assert len(drawn) == 2 + 3 * 3
    assert [axes.get_title() for axes in drawn if "channel" in axes.get_title()] == [
        "channel 0",
        "channel 1",
        "channel 2",
    ]
