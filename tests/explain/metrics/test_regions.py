"""The overlap of regions, counted by hand."""

import numpy as np
import pytest

from medattn.explain import overlap, top_region


def test_overlap_by_hand():
    first, second = np.zeros((2, 4), bool), np.zeros((2, 4), bool)
    first[0], second[:, :1] = True, True  # four and two pixels, one in both
    assert overlap(first, second) == (1 / 5, 1 / 4, 1 / 2)


def test_overlap_with_itself_is_one_and_with_its_complement_zero():
    mask = np.random.default_rng(0).random((8, 8)) < 0.3
    assert overlap(mask, mask) == (1, 1, 1)
    assert overlap(mask, ~mask) == (0, 0, 0)


def test_overlap_with_an_empty_region_is_nan():
    empty, some = np.zeros((2, 2), bool), np.ones((2, 2), bool)
    found = overlap(empty, some)
    assert found.iou == 0 and np.isnan(found.of_first) and found.of_second == 0
    assert np.isnan(overlap(empty, empty)).all()


def test_regions_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        overlap(np.zeros((2, 2), bool), np.zeros((2, 3), bool))


def test_the_top_region_has_the_largest_values_of_either_sign():
    relevance = np.array([[0.0, -3.0, 1.0], [2.0, 0.5, -0.1]])
    np.testing.assert_array_equal(
        top_region(relevance, 2), [[False, True, False], [True, False, False]]
    )
    np.testing.assert_array_equal(
        top_region(relevance, 1, sign="positive"), [[False] * 3, [True, False, False]]
    )


def test_equal_pixels_are_taken_at_random_and_counted_exactly():
    flat = np.zeros((6, 6, 3))
    one, other = top_region(flat, 5, seed=0), top_region(flat, 5, seed=1)
    assert one.sum() == other.sum() == 5 and (one != other).any()


@pytest.mark.parametrize("count", [-1, 5, 1.5, True])
def test_a_count_that_does_not_fit_the_map_is_refused(count):
    with pytest.raises(ValueError, match="from 0 to 4"):
        top_region(np.ones((2, 2)), count)
