"""ROAD: filling in by hand and against Quantus, and on a linear model."""

import numpy as np
import pytest

from medattn.explain import road
from medattn.explain.metrics.road import imputed


def test_one_pixel_is_the_weighted_mean_of_its_neighbours_by_hand():
    """Beside: 2, 4, 6, 8, each 1/6; corners 1, 3, 7, 9, each 1/12: 20/6 + 20/12 = 5."""
    image = np.arange(1.0, 10.0).reshape(3, 3, 1)
    removed = np.zeros((3, 3), bool)
    removed[1, 1] = True
    image[1, 1] = 100
    assert imputed(image, removed)[1, 1, 0] == pytest.approx(5)
    # A corner has three neighbours: (2 + 4) / 6 + 100 / 12 over 1/6 + 1/6 + 1/12.
    corner = np.roll(removed, (-1, -1), (0, 1))
    expected = (1 + 100 / 12) / (5 / 12)
    assert imputed(image, corner)[0, 0, 0] == pytest.approx(expected)


def test_two_neighbours_that_are_both_removed_solve_two_equations():
    """In a row 1 ? ? 4 only those beside count: a = (1 + b) / 2, b = (a + 4) / 2."""
    row = np.float64([1, 0, 0, 4]).reshape(1, 4, 1)
    found = imputed(row, np.array([[False, True, True, False]]))
    np.testing.assert_allclose(found.ravel(), [1, 2, 3, 4])


def test_filling_in_equals_that_of_quantus():
    functions = pytest.importorskip("quantus.functions.perturb_func")
    rng = np.random.default_rng(0)
    image, removed = rng.random((9, 7, 3)), rng.random((9, 7)) < 0.5
    theirs = functions.noisy_linear_imputation(
        image.transpose(2, 0, 1), np.flatnonzero(removed), noise=0.0
    )
    found = imputed(image, removed)
    np.testing.assert_allclose(found, theirs.transpose(1, 2, 0), atol=1e-6)


def test_the_most_relevant_pixels_of_a_linear_model_matter_most():
    rng = np.random.default_rng(1)
    images = rng.random((4, 12, 12, 1)).astype(np.float32)
    weights = rng.random((12, 12, 1)) ** 3
    images[:, ::2, ::2] += 1  # so that a removed pixel changes

    def predict(x):
        return (x * weights).sum((1, 2, 3))

    relevance = weights * images
    most = road(predict, images, relevance, fractions=(0.1, 0.3))
    least = road(predict, images, relevance, fractions=(0.1, 0.3), order="least")
    assert (most.area < least.area).all() and most.values.shape == (4, 2)


def test_nothing_but_what_is_asked_for():
    image = np.zeros((1, 2, 2, 1), np.float32)
    for wrong in ({"fractions": (1.0,)}, {"fractions": ()}, {"order": "first"}):
        with pytest.raises(ValueError, match="Expected"):
            road(lambda x: x[:, 0, 0, 0], image, image, **wrong)
    with pytest.raises(ValueError, match="nothing to fill in"):
        imputed(image[0], np.ones((2, 2), bool))
