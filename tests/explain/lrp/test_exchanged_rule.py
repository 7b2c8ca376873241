"""The audit sees a rule that does not add up: that of the product, exchanged."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from medattn import create_analyzer
from medattn.explain.deeplift import nonlinear as differences
from medattn.explain.lrp import nonlinear as steps


def plain_difference(propagator, step, *args, **kwargs):
    """The right difference of a product, with the derivatives at the image."""
    right, held = (
        differences.product(propagator, step, *args, **kwargs),
        ops.stop_gradient,
    )
    a, b = keras.tree.flatten(args)
    shared = a.difference * held(b.value) + held(a.value) * b.difference
    return differences.Pair(right.reference, shared + held(right.difference - shared))


@pytest.mark.parametrize(
    "name, table, plain",
    [
        ("lrp.epsilon", steps.RULES, steps.passthrough),
        ("deep_lift.rescale", differences.DEEP_LIFT_RULES, plain_difference),
    ],
)
def test_a_plain_product_misses_what_it_should_and_the_audit_says_so(
    name, table, plain, monkeypatch
):
    keras.utils.set_random_seed(3)
    x = keras.Input((5,))
    signal = layers.Dense(3, use_bias=False)(x)
    gate = layers.Dense(3, use_bias=False)(x)
    model = keras.Model(x, layers.Multiply()([signal, gate]))
    some = np.random.default_rng(4).random((6, 5), np.float32) + 0.1
    a, b = some @ model.weights[0].numpy(), some @ model.weights[1].numpy()

    def missing():
        analyzer = create_analyzer(name, model, neuron_selection_mode="index")
        return analyzer.audit(some, 1)["error"]

    np.testing.assert_allclose(missing(), 0, atol=1e-5)
    # Linear and without biases, against zeros: dx ds is the whole product, for LRP the
    # logit that the gate is given once more.
    monkeypatch.setitem(table, "Multiply", plain)
    np.testing.assert_allclose(missing(), -(a * b)[:, 1], rtol=1e-3, atol=1e-5)
    assert np.abs(missing()).max() > 1e-2
