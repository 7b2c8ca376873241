"""Outputs that are no row of logits: regions of a map, channels, scores."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from networks import one_layer, randomised

from medattn.explain import create_analyzer, run_eagerly

ADDING = ("lrp.z", "lrp.flat", "deep_lift.rescale")
REST = [
    pytest.param(name, marks=pytest.mark.slow)
    for name in ("lrp.epsilon", "lrp.w_square", "integrated_gradients")
]
SIDE = 8


def segmenter(activation=None, side=SIDE):
    """A small U-Net: two classes a pixel."""
    image = keras.Input((side, side, 1))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.MaxPooling2D()(x))
    y = layers.Concatenate(name="joined")([x, layers.UpSampling2D()(y)])
    return randomised(keras.Model(image, layers.Conv2D(2, 1, activation=activation)(y)))


def images(count=2):
    return np.random.default_rng(0).random((count, SIDE, SIDE, 1)).astype(np.float32)


def mask(*shape):
    return np.random.default_rng(1).random(shape) < 0.3


def summed(model, weights):
    """A model of one logit, which is what a region's sum should be."""
    total = ops.sum(model.output * weights.astype(np.float32), axis=(1, 2, 3))
    return keras.Model(model.inputs[0], ops.expand_dims(total, -1))


BOX = np.zeros((SIDE, SIDE, 2), bool)
BOX[2:5, 1:7, 1] = True
CHANNEL = np.zeros((SIDE, SIDE, 2), bool)
CHANNEL[..., 1] = True
REGIONS = {  # what is given, and the weights that it stands for
    "a mask": (m := mask(SIDE, SIDE, 2), m),
    "a mask of positions": (m := mask(SIDE, SIDE), np.stack([m, m], -1)),
    "weights": (m := mask(SIDE, SIDE, 2) / 7, m),
    "a box": (np.s_[2:5, 1:7, 1], BOX),
}


@pytest.mark.parametrize(
    ("name", "region"),
    [
        *(("gradient", region) for region in REGIONS),
        *((name, "a box") for name in ("lrp.z", "deep_lift.rescale", "gradcam")),
    ],
)
def test_a_region_is_explained_as_the_sum_of_its_logits(name, region):
    model = segmenter()
    selection, weights = REGIONS[region]
    options = {"layer": "joined"} if name == "gradcam" else {}
    with run_eagerly():
        one = create_analyzer(name, summed(model, weights), **options)
        expected = one.analyze(images())
        scale = np.abs(expected).max()
        found = create_analyzer(name, model, **options).analyze(images(), selection)
    np.testing.assert_allclose(found, expected, atol=2e-5 * scale)
    assert found.shape == (2, SIDE, SIDE, 1) and scale > 1e-5


@pytest.mark.parametrize("name", [*ADDING, *REST])
def test_the_map_of_a_region_adds_up_to_its_logits(name):
    model = segmenter()
    outputs = np.asarray(model(images()))
    each = np.stack([mask(SIDE, SIDE, 2), BOX])
    with run_eagerly():
        analyzer = create_analyzer(name, model)
        for selection in (BOX, each):
            audit = analyzer.audit(images(), selection)
            expected = (outputs * selection).sum((1, 2, 3))
            np.testing.assert_allclose(audit["logit"], expected, rtol=1e-4)
            limit = 0.05 if "gradients" in name else 1e-4
            assert (np.abs(audit["error"]) < limit * (1 + np.abs(expected))).all()
        channel = create_analyzer(name, model, neuron_selection_mode="index")
        audit = channel.audit(images(), 1)
        np.testing.assert_allclose(audit["logit"], outputs[..., 1].sum((1, 2)), 1e-4)
        pair = channel.audit(images(), (1, 0))["logit"]
        expected = (outputs[..., 1] - outputs[..., 0]).sum((1, 2))
        np.testing.assert_allclose(pair, expected, rtol=1e-3, atol=1e-4)
        largest = analyzer.audit(images())["logit"]
        np.testing.assert_allclose(largest, outputs.max((1, 2, 3)), rtol=1e-4)


def test_a_softmax_of_every_pixel_is_left_out():
    model = segmenter("softmax")
    with run_eagerly(), pytest.warns(UserWarning, match="ends in a softmax"):
        analyzer = create_analyzer("lrp.epsilon", model)
    with run_eagerly():
        audit = analyzer.audit(images(), BOX)
    model.layers[-1].activation = keras.activations.linear
    expected = (np.asarray(model(images())) * BOX).sum((1, 2, 3))
    np.testing.assert_allclose(audit["logit"], expected, rtol=1e-4)
    np.testing.assert_allclose(audit["error"], 0, atol=1e-4)


@pytest.mark.parametrize("name", ["lrp.epsilon", "deep_lift.rescale", "gradient"])
def test_a_score_a_sample_is_explained(name):
    image = keras.Input((4,))
    score = layers.Dense(1)(layers.Dense(5, activation="relu")(image))
    row = randomised(keras.Model(image, score))
    model = keras.Model(image, ops.squeeze(score, -1))
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    with run_eagerly():
        expected = create_analyzer(name, row).analyze(x)
        found = create_analyzer(name, model).analyze(x)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_mask_of_a_row_sums_some_logits():
    model = one_layer(6, 4)
    x = np.random.default_rng(0).normal(size=(2, 1, 1, 6)).astype(np.float32)
    with run_eagerly():
        analyzer = create_analyzer("lrp.z", model, neuron_selection_mode="index")
        both = analyzer.analyze(x, np.array([True, False, True, False]))
        one, two = analyzer.analyze(x, 0), analyzer.analyze(x, 2)
    np.testing.assert_allclose(both, one + two, atol=1e-5)


@pytest.mark.parametrize(
    "selection",
    [
        np.zeros((SIDE, SIDE), bool),
        np.ones((SIDE, SIDE + 1), bool),
        np.full((SIDE, SIDE, 2), np.nan),
        np.s_[9:12, 0:3, 1],
        np.s_[0:2, 0:3, 5],
        np.s_[0:2, 0:3, 0, 0],
    ],
)
def test_a_region_that_is_none_of_the_output_is_refused(selection):
    analyzer = create_analyzer("gradient", segmenter())
    with pytest.raises(ValueError, match=r"Expected a mask of shape \(8, 8, 2\)"):
        analyzer.analyze(images(), selection)


def test_a_map_of_any_size_takes_a_mask():
    model = segmenter(side=None)
    with run_eagerly():
        analyzer = create_analyzer("lrp.epsilon", model)
        audit = analyzer.audit(images(), BOX)
        np.testing.assert_allclose(audit["error"], 0, atol=1e-4)
        with pytest.raises(ValueError, match="Expected a mask"):
            analyzer.analyze(images(), np.s_[2:4, 2:4, 0])
    index = create_analyzer("lrp.z", model, neuron_selection_mode="index")
    with pytest.raises(ValueError, match="size of the output is not known"):
        index.analyze(images(), 1)


def test_score_cam_refuses_a_map():
    with pytest.raises(ValueError, match="two or more logits"):
        create_analyzer("scorecam", segmenter())
