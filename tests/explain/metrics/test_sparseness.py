"""Sparseness: by hand, and by another formula."""

import numpy as np
from metric_maps import BY_HAND, random_maps

from medattn.explain import sparseness


def test_sparseness_by_hand():
    """A constant map has Gini 0, one pixel of n has 1 - 1/n; 1, 2, 3, 4 have 1/4."""
    one = np.zeros((1, 5, 5))
    one[0, 2, 3] = -7
    np.testing.assert_allclose(sparseness(np.ones((1, 5, 5))), [0], atol=1e-12)
    np.testing.assert_allclose(sparseness(one), [1 - 1 / 25])
    np.testing.assert_allclose(sparseness(BY_HAND), [0.25])


def test_sparseness_is_the_mean_difference_over_twice_the_mean():
    maps, _ = random_maps()
    size = np.abs(maps.sum(-1)).reshape(len(maps), -1)
    between = np.abs(size[:, :, None] - size[:, None]).mean(axis=(1, 2))
    np.testing.assert_allclose(sparseness(maps), between / (2 * size.mean(axis=1)))
