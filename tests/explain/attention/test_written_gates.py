"""Gates that are written by hand are read by what they compute."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from networks import randomised

from medattn.explain import create_analyzer, gate_maps, run_eagerly


class OwnGate(layers.Layer):
    """A channel gate in a layer of one's own, with the operations of Keras."""

    def build(self, shape):
        self.dense = layers.Dense(shape[-1])
        self.dense.build((None, shape[-1]))

    def call(self, x):
        weights = ops.sigmoid(self.dense(ops.mean(x, axis=(1, 2))))
        return x * weights[:, None, None, :]


def with_gates():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="features")(image)
    x = OwnGate(name="own")(x)
    where = layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="where")(x)
    x = layers.Multiply(name="by_position")([where, x])
    x = x * ops.sigmoid(x)  # an activation, and no gate
    outputs = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))
    return randomised(keras.Model(image, outputs))


@pytest.fixture(scope="module")
def model():
    return with_gates()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)


def test_each_kind_is_read_where_it_weighs(model, images):
    with run_eagerly():
        channels = gate_maps(model, images, kind="channel")
        positions = gate_maps(model, images, kind="spatial")
    assert list(channels) == ["own"] and list(positions) == ["by_position"]
    before = keras.Model(model.input, model.get_layer("features").output)(images)
    expected = ops.sigmoid(model.get_layer("own").dense(ops.mean(before, axis=(1, 2))))
    np.testing.assert_allclose(
        channels["own"][:, 0, 0], ops.convert_to_numpy(expected), atol=1e-5
    )
    where = keras.Model(model.input, model.get_layer("where").output)(images)
    np.testing.assert_allclose(
        positions["by_position"], ops.convert_to_numpy(where), atol=1e-5
    )


def test_the_map_is_the_gates(model, images):
    with run_eagerly():
        analyzer = create_analyzer("attention.spatial_gate", model)
        found = analyzer.analyze(images).sum(-1)
        where = gate_maps(model, images)["by_position"][..., 0]
        effect = create_analyzer("attention.channel_gate", model).analyze(images)
    np.testing.assert_allclose(found, where, atol=1e-5)
    assert effect.shape == images.shape and (effect.sum(-1) <= 1).all()


def test_a_model_without_gates_is_refused():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(2, 3, activation="relu")(image)
    plain = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    with pytest.raises(ValueError, match="no such attention"):
        create_analyzer("attention.spatial_gate", plain)
