"""Any functional model: nested, shared, fused, half precision, a softmax at the end."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from networks import randomised

from medattn.explain import create_analyzer, register_rule
from medattn.explain.deeplift.pairs import Pair
from medattn.explain.graph.registry import REGISTERED
from medattn.explain.lrp.nonlinear import passthrough
from medattn.layers import SqueezeExcite
from medattn.layers.keras_private import all_layers, count_calls

NAMES = ("lrp.epsilon", "lrp.flat", "deep_lift.rescale")


def images_for(model, batch=2):
    shape = model.input_shape[1:]
    return np.random.default_rng(0).random((batch, *shape)).astype(np.float32)


def assert_same_maps(one, two, **options):
    """Holds that two ways to write one network have the same maps."""
    images = images_for(one)
    for name in NAMES:
        maps = [create_analyzer(name, m, **options).analyze(images) for m in (one, two)]
        scale = np.abs(maps[1]).max()
        assert scale > 0
        np.testing.assert_allclose(maps[0], maps[1], atol=1e-4 * scale, err_msg=name)


def test_a_nested_model_is_explained_as_the_flat_one():
    image = keras.Input((6, 6, 2))
    inner_input = keras.Input((6, 6, 2))
    conv, gate = layers.Conv2D(4, 3, name="c"), SqueezeExcite(2, name="gate")
    head = layers.Dense(2, name="h")
    inner = keras.Model(inner_input, gate(conv(inner_input)), name="inner")
    nested = keras.Model(image, head(layers.Flatten()(inner(image))))
    flat = keras.Model(image, head(layers.Flatten()(gate(conv(image)))))
    randomised(nested)
    assert_same_maps(nested, flat)


def test_a_layer_shared_by_two_branches_is_explained_in_both():
    """A convolution on the image and on its mirror image: the maps add up."""
    image = keras.Input((5, 5, 1))
    conv = layers.Conv2D(3, 3, activation="relu")
    both = layers.Concatenate()([conv(image), conv(ops.flip(image, axis=2))])
    model = randomised(keras.Model(image, layers.Dense(2)(layers.Flatten()(both))))
    audit = create_analyzer("lrp.epsilon", model).audit(images_for(model))
    np.testing.assert_allclose(audit["error"], 0, atol=1e-5)
    audit = create_analyzer("deep_lift.rescale", model).audit(images_for(model))
    np.testing.assert_allclose(audit["error"], 0, atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "tanh"])
def test_an_activation_of_a_layer_is_explained_as_a_layer_of_its_own(activation):
    image = keras.Input((5, 5, 2))
    fused, plain = layers.Conv2D(3, 3, activation=activation), layers.Conv2D(3, 3)
    head = layers.Dense(2)
    one = keras.Model(image, head(layers.Flatten()(fused(image))))
    two = keras.Model(
        image, head(layers.Flatten()(layers.Activation(activation)(plain(image))))
    )
    randomised(one)
    plain.set_weights(fused.get_weights())
    assert_same_maps(one, two)


def test_a_sequential_model_and_operations_without_a_layer_are_explained():
    model = keras.Sequential(
        [keras.Input((5, 5, 2)), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(2)]
    )
    randomised(model)
    image = keras.Input((5, 5, 2))
    conv, _, dense = model.layers
    x = ops.reshape(conv(image), (-1, 27))
    assert_same_maps(
        keras.Model(image, ops.add(ops.matmul(x, dense.kernel), dense.bias)), model
    )


def test_half_precision_is_explained_in_float32():
    image = keras.Input((6, 6, 3))
    made = []
    for dtype in ("mixed_float16", "float32"):
        x = layers.Rescaling(2.0, -1.0, dtype=dtype)(image)
        x = layers.Conv2D(4, 3, activation="relu", dtype=dtype)(x)
        x = SqueezeExcite(2, dtype=dtype)(x)
        x = layers.GlobalAveragePooling2D(dtype=dtype)(x)
        made.append(keras.Model(image, layers.Dense(2, dtype="float32")(x)))
    randomised(made[1])
    made[0].set_weights(made[1].get_weights())
    assert_same_maps(*made)
    audit = create_analyzer("lrp.epsilon", made[0]).audit(images_for(made[0]))
    np.testing.assert_allclose(audit["error"], 0, atol=1e-5)


@pytest.mark.parametrize("fused", [True, False])
def test_a_softmax_at_the_end_is_left_out_with_a_warning(fused):
    image = keras.Input((4, 4, 2))
    flat = layers.Flatten()(image)
    dense = layers.Dense(3, activation="softmax" if fused else None)
    outputs = dense(flat) if fused else layers.Softmax()(dense(flat))
    model = randomised(keras.Model(image, outputs))
    plain = layers.Dense(3)
    logits = keras.Model(image, plain(flat))
    plain.set_weights(dense.get_weights())
    images = images_for(model)
    for name in ("gradient", *NAMES):
        with pytest.warns(UserWarning, match="ends in a softmax.*softmax='after'"):
            analyzer = create_analyzer(name, model)
        expected = create_analyzer(name, logits).analyze(images)
        np.testing.assert_allclose(analyzer.analyze(images), expected, rtol=1e-4)
    after = create_analyzer("deep_lift.rescale", model, softmax="after")
    audit = after.audit(images)
    assert (audit["logit"] < 1).all()
    np.testing.assert_allclose(audit["error"], 0, atol=1e-6)


def test_a_rule_can_be_registered_for_a_layer_whose_parts_are_unknown():
    class Sorted(layers.Layer):
        def call(self, x):
            return ops.sort(x, axis=-1)

    image = keras.Input((1, 1, 3))
    model = keras.Model(image, layers.Dense(1)(Sorted()(layers.Flatten()(image))))
    model.layers[-1].set_weights([np.float32([[1], [2], [3]]), np.float32([0])])
    with pytest.raises(ValueError, match="register_rule"):
        create_analyzer("lrp.epsilon", model)
    register_rule(Sorted, lrp=passthrough)
    try:
        x = np.float32([5, 1, 3]).reshape(1, 1, 1, 3)
        found = create_analyzer("lrp.epsilon", model).analyze(x)
        # Sorted: 1, 3, 5 with weights 1, 2, 3.
        np.testing.assert_allclose(found.ravel(), [15, 1, 6], rtol=1e-5)
        with pytest.raises(ValueError, match=r"no DeepLIFT rule.*deep_lift=rule"):
            create_analyzer("deep_lift.rescale", model)

        def sorted_pair(propagator, step, pair):
            order = ops.argsort(pair.value, axis=-1)
            parts = pair.reference + 0 * pair.difference, pair.difference
            return Pair(*(ops.take_along_axis(part, order, -1) for part in parts))

        register_rule(Sorted, deep_lift=sorted_pair)
        analyzer = create_analyzer("deep_lift.rescale", model)
        np.testing.assert_allclose(analyzer.analyze(x).ravel(), [15, 1, 6], rtol=1e-5)
        assert create_analyzer("lrp.epsilon", model)  # the first rule is kept
    finally:
        REGISTERED.pop(Sorted)
    with pytest.raises(ValueError, match="subclass of keras.Layer"):
        register_rule("Sorted", lrp=passthrough)


def test_a_model_forgets_the_calls_that_opening_it_made():
    image = keras.Input((6, 6, 4))
    gate = SqueezeExcite(2)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(gate(image))))
    parts = all_layers(model)
    before = [count_calls(part) for part in parts]
    create_analyzer("lrp.epsilon", model).audit(images_for(model))
    assert [count_calls(part) for part in parts] == before
