"""DeepLIFT through softmaxes of any gap, and through neurons that do not move."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from networks import randomised

from medattn.explain import create_analyzer, run_eagerly
from medattn.explain.deeplift.analyzers import DEEP_LIFT_ANALYZERS


def explained(name, model, x, **options):
    with run_eagerly():
        analyzer = create_analyzer(name, model, **options)
        return analyzer.analyze(x), analyzer.audit(x)


def log_softmax(x):
    return x - x.max() - np.log(np.exp(x - x.max()).sum())


def by_logarithmic_means(x, r, w):
    """In numpy and double: m_ij = L_i (delta_ij - L_j / sum L)."""
    a, b = log_softmax(r), log_softmax(x)
    same = np.isclose(a, b)
    means = np.where(
        same, np.exp(a), (np.exp(b) - np.exp(a)) / np.where(same, 1, b - a)
    )
    matrix = np.diag(means) - np.outer(means, means) / means.sum()
    return (matrix.T @ w) * (x - r)


@pytest.mark.parametrize("name", DEEP_LIFT_ANALYZERS)
@pytest.mark.parametrize("gap", [0.001, 2, 10, 15, 50, 100, 1000])
def test_a_softmax_is_shared_exactly_at_any_gap(name, gap):
    inputs, head = keras.Input((4,)), layers.Dense(1, use_bias=False)
    model = keras.Model(inputs, head(layers.Softmax()(inputs)))
    w = np.array([1.0, 2, -1, 0])
    head.set_weights([w[:, None]])
    x = np.array([gap, 0, -1, 0.5])
    found, audit = explained(name, model, x[None])
    np.testing.assert_allclose(found[0], by_logarithmic_means(x, 0 * x, w), atol=2e-5)
    np.testing.assert_allclose(audit["error"], 0, atol=2e-5)


@pytest.mark.parametrize("factor", [1, 3, 30])
def test_attention_of_any_sharpness_adds_up(factor):
    inputs = keras.Input((12, 8))
    x = layers.Attention()([factor * inputs, inputs])
    model = keras.Model(inputs, layers.Dense(2)(ops.mean(x, axis=1)))
    x = np.random.default_rng(0).normal(size=(3, 12, 8))
    _, audit = explained("deep_lift.rescale", model, x)
    np.testing.assert_allclose(audit["error"], 0, atol=1e-4)


def test_a_softmax_over_another_axis_and_after_the_logits_adds_up():
    inputs = keras.Input((5, 4))
    x = layers.Flatten()(layers.Softmax(axis=1)(20 * inputs))
    model = randomised(keras.Model(inputs, layers.Dense(3, activation="softmax")(x)))
    x = np.random.default_rng(0).normal(size=(3, 5, 4))
    _, audit = explained("deep_lift.rescale", model, x, softmax="after")
    np.testing.assert_allclose(audit["error"], 0, atol=1e-5)


def minimum(kind):
    """min(a, b) = relu(a) - relu(a - b), of Dense layers or of convolutions."""
    if kind == "dense":
        inputs = keras.Input((2,))
        hidden = layers.Dense(2, use_bias=False, activation="relu")
        head = layers.Dense(1, use_bias=False)
        model = keras.Model(inputs, head(hidden(inputs)))
        hidden.set_weights([np.float32([[1, 1], [0, -1]])])
        head.set_weights([np.float32([[1], [-1]])])
        return model
    inputs = keras.Input((1, 1, 2))
    hidden, head = (layers.Conv2D(n, 1, use_bias=False) for n in (2, 1))
    x = layers.Flatten()(head(layers.ReLU()(hidden(inputs))))
    model = keras.Model(inputs, x)
    hidden.set_weights([np.float32([[1, 1], [0, -1]]).reshape(1, 1, 2, 2)])
    head.set_weights([np.float32([1, -1]).reshape(1, 1, 2, 1)])
    return model


@pytest.mark.parametrize("kind", ["dense", "convolution"])
@pytest.mark.parametrize("x", [(3, 1), (1, 3), (2, 2), (0.5, 4)])
def test_reveal_cancel_divides_a_minimum_evenly(kind, x):
    """Section 3.5.3 of the paper: half of the minimum to each, whatever the order."""
    model = minimum(kind)
    given = np.float32(x).reshape(1, *model.input_shape[1:])
    found, audit = explained("deep_lift.reveal_cancel", model, given)
    np.testing.assert_allclose(found.ravel(), [min(x) / 2] * 2, atol=1e-6)
    np.testing.assert_allclose(audit["error"], 0, atol=1e-6)


def test_a_neuron_that_does_not_move_passes_its_derivative_on():
    """Rescale: z = x1 - x2 stays zero, and relu(z + 1) has the derivative one there."""
    inputs, head = keras.Input((2,)), layers.Dense(1, activation="relu")
    model = keras.Model(inputs, head(inputs))
    head.set_weights([np.float32([[1], [-1]]), np.float32([1])])
    found, _ = explained("deep_lift.rescale", model, np.float32([[2, 2]]))
    np.testing.assert_allclose(found, [[2, -2]], atol=1e-6)


def test_what_single_precision_loses_of_the_models_own_difference_is_found():
    """Two large numbers whose difference is the logit: single keeps three digits."""
    inputs = keras.Input((2,))
    big = inputs * 3e4 + 1e6
    model = keras.Model(inputs, layers.Dense(1)(ops.square(big) * 1e-8))
    found, audit = explained("deep_lift.rescale", model, np.float32([[0.3, -0.2]]))
    assert np.isfinite(found).all()
    assert abs(audit["error"][0]) < 1e-3 * max(1, abs(audit["logit"][0]))


def test_what_single_precision_cannot_compute_is_computed_in_double():
    """At the reference the norm is 1e-6, so that terms of 1e5 cancel."""
    inputs = keras.Input((6, 4))
    x = layers.UnitNormalization(axis=1)(layers.Dense(4)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    given = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
    _, audit = explained("deep_lift.rescale", model, given, precision="float64")
    np.testing.assert_allclose(audit["error"], 0, atol=1e-4)
