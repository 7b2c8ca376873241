"""Concept relevance: by hand, and as a law: the channels add up to the map."""

import keras
import numpy as np
import pytest
from keras import layers
from networks import randomised

from medattn.explain import create_analyzer, run_eagerly
from medattn.explain.concepts.relevance import relevance_maximisation


@pytest.fixture(autouse=True)
def eagerly():
    with run_eagerly():
        yield


def conv_net(skip=False):
    x = image = keras.Input((8, 8, 3))
    x = before = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(4, 3, padding="same", name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Add()([x, before]) if skip else x
    x = layers.Conv2D(3, 3, activation="relu")(x)
    return randomised(keras.Model(image, layers.Dense(2)(layers.Flatten()(x))))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).random((2, 8, 8, 3)).astype(np.float32)


def test_two_channels_by_hand():
    """Channels 2x and 3x, weights 1 and -1, x = 1: relevance 2 and -3 of logit -1."""
    image = keras.Input((1, 1, 1))
    x = layers.Conv2D(2, 1, use_bias=False, name="conv")(image)
    outputs = layers.Dense(1, use_bias=False)(layers.Flatten()(x))
    model = keras.Model(image, outputs)
    model.set_weights([np.float32([[[[2, 3]]]]), np.float32([[1], [-1]])])
    found = create_analyzer("lrp.z", model).concepts(
        np.ones((1, 1, 1, 1), np.float32), "conv", top=2
    )
    np.testing.assert_allclose(found.relevance, [[2, -3]])
    np.testing.assert_array_equal(found.channels, [[1, 0]])
    np.testing.assert_allclose(found.maps.ravel(), [-3, 2])
    assert found.examples is None and not found.rest.any()


@pytest.mark.parametrize("name", ["lrp.epsilon", "lrp.flat", "lrp.gamma"])
@pytest.mark.parametrize("skip", [False, True])
def test_conditional_maps_and_what_goes_past_add_up_to_the_map(images, name, skip):
    analyzer = create_analyzer(name, conv_net(skip), precision="float32")
    for layer in ("norm", "relu"):
        found = analyzer.concepts(images, layer, top=4)
        whole = analyzer.analyze(images)
        total = found.maps.sum(1) + found.rest
        np.testing.assert_allclose(total, whole, atol=1e-5 * np.abs(whole).max())
        assert found.rest.any() == skip
        np.testing.assert_allclose(
            found.relevance, analyzer.channel_relevance(images, layer)
        )
        # Of the whole, sorted: the first channel is the one of the most relevance.
        top = np.take_along_axis(np.abs(found.relevance), found.channels, 1)
        assert (np.diff(top) <= 0).all()


def test_relmax_names_the_images_on_which_a_channel_is_most_relevant():
    references = np.array([[0, 9], [5, 1], [3, 4], [-9, 2]])
    found = relevance_maximisation(references, np.array([[0, 1]]), 2)
    np.testing.assert_array_equal(found, [[[1, 2], [0, 2]]])
    with pytest.raises(ValueError, match="too few reference images"):
        relevance_maximisation(references, np.array([[0]]), 5)


def test_a_gate_with_and_without_relevance_of_its_own(images):
    """Held, the gate's own channels get nothing; shared, half of the product."""
    x = image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="features")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Dense(4, activation="sigmoid", use_bias=False, name="gate")(gate)
    x = layers.Multiply(name="product")([x, gate])
    outputs = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))
    analyzer = create_analyzer("lrp.z", randomised(keras.Model(image, outputs)))
    both = analyzer.gate_concepts(images, "product", top=4)
    np.testing.assert_allclose(
        both["held"].relevance, both["shared"].relevance, rtol=1e-4, atol=1e-6
    )
    assert not np.allclose(both["held"].maps, both["shared"].maps)
    shared = create_analyzer("lrp.z", analyzer.model, gates="shared")
    through = shared.channel_relevance(images, "gate")
    np.testing.assert_allclose(
        through, both["shared"].relevance / 2, rtol=1e-3, atol=1e-5
    )
    with pytest.raises(ValueError, match="no relevance goes through it"):
        analyzer.concepts(images, "gate")


def test_layers_where_relevance_cannot_be_split(images):
    analyzer = create_analyzer("lrp.z", conv_net())
    with pytest.raises(ValueError, match="one layer with the norm 'norm'"):
        analyzer.concepts(images, "conv")
    with pytest.raises(ValueError, match="no such layer"):
        analyzer.concepts(images, "nothing")
    with pytest.raises(ValueError, match="top from 1 to 4"):
        analyzer.concepts(images, "relu", top=5)
