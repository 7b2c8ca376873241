"""The figure of networks whose use is known."""

import numpy as np

from medattn.figures.colours import GREEN, OUTLINE
from medattn.figures.known_use import KnownUse, known_use_figure


def test_a_row_shows_image_both_masks_and_its_maps_with_their_notes():
    rng = np.random.default_rng(0)
    used, evidence = np.zeros((2, 8, 8), bool)
    used[2, 3] = evidence[5, 6] = True
    row = KnownUse(
        "eye",
        rng.random((16, 16, 3)),
        used,
        evidence,
        {"gradient": rng.normal(size=(8, 8))},
        {"gradient": "9% in use"},
    )
    figure = known_use_figure([row, row], ["gradient", "gradcam"])
    assert len(figure.axes) == 2 * 5
    shown, uses, should, gradient, missing = figure.axes[:5]
    assert shown.get_ylabel() == "eye" and gradient.get_xlabel() == "9% in use"
    for axes, mask, colour in ((uses, used, GREEN), (should, evidence, OUTLINE)):
        layer = axes.images[1].get_array()
        assert (layer[mask] == (*colour, 255)).all() and not layer[~mask].any()
    assert len(gradient.images) == 3 and not missing.images
