"""Painting some pixels gives the same values as painting all."""

import numpy as np
import pytest

from medattn.data.synthetic import dataset
from medattn.data.synthetic.paint import tint
from medattn.data.synthetic.pixels import Region, in_planes, shrink, shrink_mask


@pytest.mark.parametrize("factor", [1, 2])
def test_a_region_computes_what_the_full_image_computes(factor):
    rng = np.random.default_rng(0)
    fine = rng.random((3, 4, 6 * factor, 5 * factor))  # (planes, n, height, width)
    chosen = rng.random((4, 6, 5)) < 0.3
    region = Region(chosen, factor)
    full = np.stack([shrink(plane, factor) for plane in fine])
    np.testing.assert_array_equal(region.shrink(region.take(fine)), full[:, chosen])
    indices = region.image, region.row, region.column
    np.testing.assert_array_equal(region.take(fine[0]), fine[0][indices])
    np.testing.assert_array_equal(region.repeat(np.arange(4)), region.image)

    other = fine.copy()
    region.put(other, 0.0)
    changed = np.stack([shrink_mask(plane != 0, factor) for plane in fine - other])
    np.testing.assert_array_equal(changed, np.broadcast_to(chosen, changed.shape))
    few = region.take(fine[0]) > 0.8
    marked = np.zeros_like(fine[0], bool)
    region.put(marked, few)
    np.testing.assert_array_equal(
        region.spread(few, chosen.shape), shrink_mask(marked, factor)
    )


@pytest.mark.parametrize("layout", ["planes apart", "planes in each pixel"])
def test_a_tint_by_hand_in_any_layout_of_memory(layout):
    planes = np.full((3, 2, 2, 2), 0.5)
    if layout == "planes in each pixel":
        planes = np.moveaxis(np.full((2, 2, 2, 3), 0.5), -1, 0)
    coverage = np.zeros((2, 2, 2))
    coverage[0, 1, 0], coverage[1, 0, 1] = 1.0, 0.5
    tint(planes, np.array([(1.0, 0.0, 0.5), (0.0, 0.5, 1.0)]), coverage, 0.5)
    # 0.5 + 0.5 x 1.0 x (1.0 - 0.5) and so on, worked by hand
    np.testing.assert_allclose(planes[:, 0, 1, 0], (0.75, 0.25, 0.5))
    np.testing.assert_allclose(planes[:, 1, 0, 1], (0.375, 0.5, 0.625))
    assert (planes[:, coverage == 0] == 0.5).all()


def test_colours_in_planes_are_those_of_their_images():
    colours = np.random.default_rng(1).random((5, 3))
    planes = in_planes(colours)
    assert planes.shape == (3, 5, 1, 1) and planes.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(planes[:, :, 0, 0], colours.T)


def test_the_cache_key_depends_on_every_file_that_renders_a_domain():
    """So that a cached image is never one of older code."""
    code = "".join(dataset._code("dermoscopy"))
    for part in ("def render(", "def parameters(", "def hairs(", "def tint(", "Region"):
        assert part in code
    assert "def hairs(" not in "".join(dataset._code("fundus"))
