"""Deletion and insertion: by hand, against Quantus, and on a linear model."""

import numpy as np
import pytest
from metric_maps import BY_HAND

from medattn.explain import deletion, insertion


def test_deletion_and_insertion_by_hand():
    """Pixels 4, 3, 2, 1 that are summed: deleting the largest first leaves 10, 6, 3, 1,
    0, whose trapezoids over quarters make 3.75; inserting it first makes 0, 4, 7, 9,
    10, so 6.25."""
    images = np.float32([4, 3, 2, 1]).reshape(1, 2, 2, 1)

    def predict(x):
        return x.sum(axis=(1, 2, 3))

    down = deletion(predict, images, images, steps=4, replacement="zeros")
    up = insertion(predict, images, images, steps=4, replacement="zeros")
    np.testing.assert_allclose(down.values, [[10, 6, 3, 1, 0]])
    np.testing.assert_allclose(up.values, [[0, 4, 7, 9, 10]])
    np.testing.assert_allclose([down.area[0], up.area[0]], [3.75, 6.25])
    np.testing.assert_allclose(down.fractions, [0, 0.25, 0.5, 0.75, 1])


@pytest.mark.parametrize("replacement", ["zeros", "mean", "blur"])
def test_the_true_contributions_are_better_than_a_random_order(replacement):
    """On a linear model, whose contributions w (x - r) are known exactly."""
    rng = np.random.default_rng(5)
    images = rng.random((8, 16, 16, 3)).astype(np.float32)
    weights = rng.normal(size=(16, 16, 3))

    def predict(x):
        return (x * weights).sum(axis=(1, 2, 3))

    options = dict(steps=1, replacement=replacement)
    replaced = []  # the image at the end of a curve has all its pixels replaced
    deletion(lambda x: replaced.append(x) or predict(x), images, images, **options)
    perfect, noise = weights * (images - replaced[-1]), rng.normal(size=images.shape)
    for curve, sign in ((deletion, 1), (insertion, -1)):
        good, random = (
            sign * curve(predict, images, m, replacement=replacement).area
            for m in (perfect, noise)
        )
        assert (good < random).all()


class Linear:
    """A model in the form of Quantus: sum of w x, two outputs."""

    def __init__(self, weights):
        self.weights = weights  # (height, width)

    def shape_input(self, x, *args, **kwargs):
        return x

    def predict(self, x, **kwargs):
        value = (x[:, 0] * self.weights).sum(axis=(1, 2))
        return np.stack([-value, value], axis=1)


def test_deletion_with_black_equals_pixel_flipping_of_quantus():
    quantus = pytest.importorskip("quantus")
    rng = np.random.default_rng(3)
    images, weights = rng.uniform(0.1, 1, (4, 6, 6, 1)), rng.normal(size=(6, 6))
    relevance = images * weights[..., None]
    metric = quantus.PixelFlipping(
        features_in_step=6, perturb_baseline="black", disable_warnings=True
    )
    theirs = metric.evaluate_batch(
        model=Linear(weights),
        x_batch=images[..., 0][:, None].copy(),
        y_batch=np.ones(4, int),
        a_batch=relevance[..., 0][:, None],
    )
    ours = deletion(
        lambda x: (x[..., 0] * weights).sum(axis=(1, 2)),
        images,
        relevance,
        steps=6,
        # "black" in Quantus is the smallest pixel of the image.
        replacement=images.min(axis=(1, 2, 3), keepdims=True),
    )
    np.testing.assert_allclose(ours.values[:, 1:], theirs, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: deletion(len, np.ones((1, 3, 3, 1)), np.ones((1, 4, 4))),
            "do not fit",
        ),
        (
            lambda: deletion(len, np.ones((1, 2, 2, 1)), BY_HAND, replacement="noise"),
            "replacement='noise'",
        ),
        (lambda: deletion(len, np.ones((1, 2, 2, 1)), BY_HAND, steps=5), "steps=5"),
        (lambda: deletion(len, np.ones((1, 2, 2, 1)), BY_HAND, steps=2), "one number"),
    ],
)
def test_wrong_input_is_refused_in_three_parts(call, message):
    with pytest.raises(ValueError, match=r"Expected.*Received: ") as error:
        call()
    assert message in str(error.value)
