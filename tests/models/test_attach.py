"""Attention in models from elsewhere."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from medattn.layers import CBAM, SqueezeExcite
from medattn.models import attach, create_model

APPLICATIONS = {
    "EfficientNetV2B0": (keras.applications.EfficientNetV2B0, "block*_add"),
    "MobileNetV3Small": (keras.applications.MobileNetV3Small, "*_add"),
    "ConvNeXtTiny": (
        keras.applications.ConvNeXtTiny,
        lambda layer: layer.name.endswith("_identity"),
    ),
    "VGG16": (keras.applications.VGG16, layers.MaxPooling2D),
}


def images(size=64, seed=0):
    noise = np.random.default_rng(seed).random((2, size, size, 3))
    return noise.astype(np.float32)


def small():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, padding="same", name="conv_a")(inputs)
    x = layers.Activation("relu", name="relu_a")(x)
    x = layers.Conv2D(8, 3, padding="same", name="conv_b")(x)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)), name="small")


@pytest.mark.parametrize("name", APPLICATIONS)
@pytest.mark.parametrize("block", [SqueezeExcite, CBAM])
def test_identity_gates_leave_the_logits_of_other_models_unchanged(name, block):
    build, where = APPLICATIONS[name]
    model = build(weights=None, input_shape=(64, 64, 3), classes=3)
    before = [weight.numpy().copy() for weight in model.weights[:5]]
    logits = np.asarray(model(images()))
    attended = attach(model, block(start="identity"), where)
    kind = "squeeze_excite" if block is SqueezeExcite else "cbam"
    added = [layer for layer in attended.layers if layer.name.endswith(kind)]
    assert len(added) >= 4 and all(type(layer) is block for layer in added)
    np.testing.assert_allclose(attended(images()), logits, atol=1e-6)
    # The old weights are shared, not copied; the old model is untouched.
    shared = {id(weight) for weight in attended.weights}
    assert all(id(weight) in shared for weight in model.weights)
    assert not any(layer.name.endswith(kind) for layer in model.layers)
    np.testing.assert_array_equal(np.asarray(model(images())), logits)
    for weight, old in zip(model.weights, before, strict=False):
        np.testing.assert_array_equal(weight.numpy(), old)


def test_a_paper_gate_changes_the_logits_and_is_trained():
    keras.utils.set_random_seed(0)
    model = small()
    attended = attach(model, partial(SqueezeExcite, ratio=1), "conv_*")
    x = images(8)
    assert np.abs(np.asarray(attended(x)) - np.asarray(model(x))).max() > 1e-4
    gate = attended.get_layer("conv_a_squeeze_excite")
    before = gate.expand.kernel.numpy().copy()
    attended.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    attended.fit(x, np.array([0, 1]), verbose=0)
    assert not np.array_equal(gate.expand.kernel.numpy(), before)


def test_attach_builds_the_same_network_as_the_builder():
    """A ResNet with SE attached after each last batch norm is the SE ResNet."""
    plain, built = create_model("micro_resnet"), create_model("se_micro_resnet")
    attended = attach(plain, SqueezeExcite(8), "*_3_bn")
    named = {w.path.replace("_3_bn_squeeze_excite", "_se"): w for w in attended.weights}
    for weight in built.weights:
        named[weight.path].assign(weight)
    np.testing.assert_allclose(
        attended(images()), built(images()), rtol=1e-5, atol=1e-6
    )


def test_each_position_has_new_weights_and_the_template_has_none():
    template = SqueezeExcite(4)
    attended = attach(small(), template, ["conv_a", "conv_b"])
    one, two = (
        attended.get_layer(f"conv_{k}_squeeze_excite").expand.kernel for k in "ab"
    )
    assert one is not two and not template.built


def test_a_layer_used_twice_keeps_one_block():
    shared = layers.Conv2D(3, 1, name="shared")
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, shared(shared(inputs)))
    attended = attach(model, SqueezeExcite(1), "shared")
    assert sum(isinstance(layer, SqueezeExcite) for layer in attended.layers) == 1


def test_a_sequential_model_is_accepted():
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="c")])
    attended = attach(model, SqueezeExcite(2, start="identity"), "c")
    np.testing.assert_allclose(attended(images(8)), model(images(8)), atol=1e-6)


def nested():
    """A backbone inside a model, as transfer learning builds it; used twice."""
    trunk = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="c")])
    inputs = keras.Input((8, 8, 3))
    backbone = small()
    x = layers.Concatenate()([backbone(inputs), backbone(inputs * 0.5)])
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1, name="conv_c")(inputs))
    z = layers.GlobalAveragePooling2D()(trunk(inputs))
    outputs = layers.Dense(2, name="top")(layers.Concatenate()([x, y, z]))
    return keras.Model(inputs, outputs, name="outer")


@pytest.mark.parametrize(
    ("where", "count"),
    [("small/conv_*", 2), ("*conv_*", 3), ("conv_*", 1), (layers.Conv2D, 4)],
)
def test_layers_of_nested_models_are_matched(where, count, tmp_path):
    model = nested()
    logits = np.asarray(model(images(8)))
    attended = attach(model, SqueezeExcite(2, start="identity"), where)
    gates = [
        part for part in attended._flatten_layers() if isinstance(part, SqueezeExcite)
    ]
    assert len(gates) == count
    np.testing.assert_allclose(attended(images(8)), logits, atol=1e-6)
    shared = {id(weight) for weight in attended.weights}
    assert all(id(weight) in shared for weight in model.weights)
    assert not any(isinstance(p, SqueezeExcite) for p in model._flatten_layers())
    for gate in gates:  # each changes the logits
        gate.expand.kernel.assign(np.ones(gate.expand.kernel.shape))
        assert np.abs(np.asarray(attended(images(8))) - logits).max() > 1e-5
    attended.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded(images(8)), attended(images(8)), rtol=1e-5)


def test_near_misses_name_the_path_of_a_nested_layer():
    with pytest.raises(ValueError, match=r"Near misses: \['small/conv_b'"):
        attach(nested(), SqueezeExcite, "small/conv_bb")


def test_the_result_is_saved_and_loaded(tmp_path):
    attended = attach(small(), CBAM(4), layers.Conv2D)
    attended.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded(images(8)), attended(images(8)), rtol=1e-5)


def test_no_match_is_refused_with_near_misses():
    with pytest.raises(ValueError, match=r"Near misses: \['conv_b', 'conv_a'\]"):
        attach(small(), SqueezeExcite, "conv_c")
    with pytest.raises(ValueError, match="last layers are.*Received"):
        attach(small(), SqueezeExcite, layers.LSTM)
    with pytest.raises(ValueError, match="No layer of 'small' matches"):
        attach(small(), SqueezeExcite, lambda layer: False)


def test_a_subclassed_model_is_refused():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="functional or Sequential"):
        attach(Subclassed(), SqueezeExcite, "x")
