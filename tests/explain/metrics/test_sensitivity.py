"""Sensitivity: by hand, and against Quantus."""

import numpy as np
import pytest

from medattn.explain import max_sensitivity


def test_sensitivity_of_the_image_itself_is_the_noise_over_the_image():
    """R = x: |x + d - x| / |x|, largest over the noise samples, at most radius / x."""
    images = np.full((1, 4, 4, 1), 0.5, np.float32)
    found = max_sensitivity(lambda x: x, images, radius=0.05, samples=3, seed=1)
    noise = np.random.default_rng(1).uniform(-0.05, 0.05, (3, 16)).astype(np.float32)
    expected = np.sqrt((noise**2).sum(axis=1)).max() / (0.5 * 4)
    np.testing.assert_allclose(found, [expected], rtol=1e-5)


def test_max_sensitivity_equals_that_of_quantus():
    quantus = pytest.importorskip("quantus")
    rng = np.random.default_rng(4)
    images = rng.random((3, 5, 5, 1)).astype(np.float32)
    noise = np.random.default_rng(0)
    samples = [noise.uniform(-0.1, 0.1, (5, 5, 1)).astype(np.float32) for _ in range(4)]
    remaining = iter(samples)

    def perturb(arr, indices, **kwargs):
        return arr + np.ravel(next(remaining))

    def explain(x):
        return np.sin(5 * x) * x

    metric = quantus.MaxSensitivity(
        nr_samples=4, perturb_func=perturb, disable_warnings=True
    )
    metric.explain_func = lambda model, inputs, targets, **kw: explain(inputs)
    metric.explain_func_kwargs = {}
    theirs = metric.evaluate_batch(
        model=None,
        x_batch=images.transpose(0, 3, 1, 2),
        y_batch=np.zeros(3, int),
        a_batch=explain(images.transpose(0, 3, 1, 2)),
    )
    ours = max_sensitivity(explain, images, radius=0.1, samples=4, seed=0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_radius_of_zero_is_refused():
    message = r"Expected.*Received: radius=0"
    with pytest.raises(ValueError, match=message):
        max_sensitivity(np.sin, np.ones((1, 2, 2, 1)), radius=0)
