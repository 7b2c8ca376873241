"""A bias enters the sum of its sign, as in the paper; or both, as in iNNvestigate."""

import keras
import numpy as np
import pytest
from keras import layers

from medattn.explain import create_analyzer, run_eagerly


def one_neuron(bias):
    """z = 2 x1 - x2 + bias."""
    inputs = keras.Input((2,))
    layer = layers.Dense(1)
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([np.float32([[2], [-1]]), np.float32([bias])])
    return model


# By hand: 2 (2 / 2.999) 1.999 and -(-1 / -1) 1.999; 2 (2 / 2) 0.5 and -(1 / 1.5) 0.5.
@pytest.mark.parametrize(
    ("bias", "expected"),
    [(0.999, [2.666222, -1.999]), (-0.5, [1.0, -1 / 3]), (0.0, [2.0, -1.0])],
)
def test_a_bias_enters_the_sum_of_its_sign(bias, expected):
    x = np.ones((1, 2))
    with run_eagerly():
        analyzer = create_analyzer("lrp.alpha_2_beta_1", one_neuron(bias))
        np.testing.assert_allclose(analyzer.analyze(x), [expected], rtol=1e-5)
        np.testing.assert_allclose(analyzer.audit(x)["error"], 0, atol=1e-6)


def test_a_bias_enters_both_sums_as_in_innvestigate_if_asked():
    x = np.ones((1, 2))
    options = {"bias_in_both": True}
    with run_eagerly():
        found = create_analyzer("lrp.alpha_2_beta_1", one_neuron(0.5), **options)
        # 2 (2 / 2.5) 1.5 and -(-1 / -0.5) 1.5
        np.testing.assert_allclose(found.analyze(x), [[2.4, -3.0]], rtol=1e-5)


def test_preset_b_does_so_at_convolutions():
    inputs = keras.Input((1, 1, 2))
    conv = layers.Conv2D(1, 1)
    model = keras.Model(inputs, layers.Flatten()(conv(inputs)))
    conv.set_weights([np.float32([2, -1]).reshape(1, 1, 2, 1), np.float32([0.999])])
    with run_eagerly():
        analyzer = create_analyzer("lrp.sequential_preset_b", model)
        found = analyzer.analyze(np.ones((1, 1, 1, 2))).ravel()
    np.testing.assert_allclose(found, [2.666222, -1.999], rtol=1e-5)
