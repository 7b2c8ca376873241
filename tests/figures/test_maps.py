"""Maps: what a colour means."""

import io

import numpy as np
import pytest
from PIL import Image

from medattn.figures import (
    AGAINST,
    FOR,
    colour_scale,
    explanation_figure,
    explanation_grid,
    grey,
    outline_rgba,
    png_bytes,
    relevance_rgba,
)


def test_zero_is_transparent_and_the_sign_gives_the_colour():
    relevance = np.array([[0.0, 1.0, -1.0, 0.5, 9.0]])
    colours = relevance_rgba(relevance, scale=1.0)[0]
    assert colours[0, 3] == 0
    assert tuple(colours[1]) == (*FOR, 255) and tuple(colours[2]) == (*AGAINST, 255)
    assert tuple(colours[3]) == (*FOR, 128)
    assert tuple(colours[4]) == (*FOR, 255)  # beyond the scale: full, not more


def test_several_maps_share_one_scale():
    small, large = np.full((10, 10), 0.1), np.full((10, 10), -2.0)
    assert colour_scale(small, large) == pytest.approx(2.0)
    assert colour_scale(np.zeros((4, 4))) > 0


def test_the_outline_lies_around_the_evidence_and_not_on_it():
    mask = np.zeros((6, 6), bool)
    mask[2:4, 3] = True
    outline = outline_rgba(mask, zoom=8)
    line = outline[..., 3] > 0
    inside = np.kron(mask, np.ones((8, 8), bool))
    assert line.any() and not (line & inside).any()
    rows, columns = np.nonzero(line)
    assert rows.min() == 14 and rows.max() == 33  # two pixels off the 16 to 31 of it
    assert columns.min() == 22 and columns.max() == 33
    blue = outline_rgba(mask, zoom=8, colour=(0, 0, 255))
    assert (blue[line] == (0, 0, 255, 255)).all() and not blue[~line].any()


def test_grey_has_no_colour_and_keeps_the_order_of_brightness():
    image = np.random.default_rng(0).random((5, 5, 3))
    pale = grey(image)
    assert (pale[..., 0] == pale[..., 1]).all() and pale.min() >= 0.25
    light = image @ [0.299, 0.587, 0.114]
    np.testing.assert_array_equal(
        np.argsort(light, None), np.argsort(pale[..., 0], None)
    )


def test_png_is_lossless():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    decoded = np.asarray(Image.open(io.BytesIO(png_bytes(pixels))))
    np.testing.assert_array_equal(decoded, pixels)


def test_the_figure_has_one_bar_with_zero_in_the_middle():
    relevance = np.random.default_rng(0).normal(size=(16, 16))
    figure = explanation_figure(
        np.ones((32, 32, 3)), relevance, title="P = .5", lines=["a", "b"]
    )
    *_, bar = figure.axes
    low, high = bar.get_xlim()
    assert low == pytest.approx(-high) and high == pytest.approx(
        colour_scale(relevance)
    )
    assert [tick.get_text() for tick in bar.get_xticklabels()][1] == "0"
    assert len(figure.axes) == 3


def test_the_grid_has_a_row_for_each_image_and_writes_the_scale_of_each_map():
    rng = np.random.default_rng(0)
    maps = [[rng.normal(size=(8, 8)) * size for size in (1, 100)] for _ in range(3)]
    figure = explanation_grid(
        [np.ones((16, 16, 3))] * 3,
        maps,
        rows=["a", "b", "c"],
        columns=["one", "two"],
        notes=[["pixels 1 = logit 1", ""]] * 3,
        masks=[None, np.eye(8, dtype=bool), None],
        lines=["below"],
    )
    assert len(figure.axes) == 9
    for row, both in enumerate(maps):
        axes = figure.axes[3 * row + 1 : 3 * row + 3]
        for column, (one, ax) in enumerate(zip(both, axes, strict=True)):
            label = ax.get_xlabel().splitlines()
            assert label[-1] == f"full colour at ±{colour_scale(one):.2g}"
            assert label[:-1] == (["pixels 1 = logit 1"] if column == 0 else [])
            assert len(ax.images) == (3 if row == 1 else 2)  # the outline is the third
