"""What all analyzers share: names and options, images, neurons, inputs and outputs."""

import keras
import numpy as np
import pytest
from keras import layers
from networks import one_layer, randomised

from medattn.explain import create_analyzer, list_analyzers


def test_unknown_names_and_options_are_answered_with_the_valid_ones():
    model = one_layer()
    with pytest.raises(ValueError, match="lrp.epsilon.*Received: name='lrp.epsilom'"):
        create_analyzer("lrp.epsilom", model)
    with pytest.raises(ValueError, match=r"'epsilon'.*Received: \['eps'\]"):
        create_analyzer("lrp.epsilon", model, eps=1)
    with pytest.raises(ValueError, match="max_activation"):
        create_analyzer("gradient", model, neuron_selection_mode="all")
    with pytest.raises(ValueError, match="epsilon >= 0"):
        create_analyzer("lrp.epsilon", model, epsilon=-1)
    assert "lrp.epsilon" in list_analyzers()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[0], r"\(None, 64, 64, 3\)"),
        (lambda x: x[:, :32], r"\(None, 64, 64, 3\)"),
        (lambda x: x[..., :1], r"\(None, 64, 64, 3\)"),
        (lambda x: x[:0], r"\(None, 64, 64, 3\)"),
        (lambda x: np.where(x > 0.5, np.nan, x), "NaN"),
        (lambda x: np.where(x > 0.5, np.inf, x), "infinite"),
    ],
)
def test_images_that_do_not_fit_are_refused(trained, drawings, change, message):
    analyzer = create_analyzer("lrp.epsilon", trained("micro_resnet"))
    with pytest.raises(ValueError, match=message):
        analyzer.analyze(change(drawings["image"][:2]))


@pytest.mark.parametrize(
    "name", ["gradient", "deep_lift.rescale", "gradcam", "attention.spatial_gate"]
)
def test_every_analyzer_refuses_pixels_that_are_not_finite(trained, name):
    analyzer = create_analyzer(name, trained("cbam_micro_resnet"))
    for bad in (np.nan, np.inf):
        images = np.zeros((1, 64, 64, 3), np.float32)
        images[0, 5, 5, 0] = bad
        with pytest.raises(ValueError, match="Expected finite pixels.*Received: 1"):
            analyzer.analyze(images)


@pytest.mark.parametrize("neuron", [2, -1, 0.5, [0, 1, 0], None])
def test_a_neuron_out_of_range_is_refused(trained, drawings, neuron):
    analyzer = create_analyzer(
        "lrp.epsilon", trained("micro_resnet"), neuron_selection_mode="index"
    )
    with pytest.raises(ValueError, match="from 0 to 1"):
        analyzer.analyze(drawings["image"][:2], neuron)


def test_a_neuron_cannot_be_chosen_in_mode_max_activation(trained, drawings):
    analyzer = create_analyzer("lrp.epsilon", trained("micro_resnet"))
    with pytest.raises(ValueError, match="neuron_selection_mode='index'"):
        analyzer.analyze(drawings["image"][:2], 1)


@pytest.mark.parametrize("name", ["lrp.epsilon", "gradient"])
def test_one_of_several_outputs_must_be_chosen(name):
    one = keras.Input((4, 4, 2))
    flat = layers.Flatten()(one)
    heads = [layers.Dense(2, name="a")(flat), layers.Dense(3, name="b")(flat)]
    model = keras.Model(one, heads)
    with pytest.raises(ValueError, match=r"output= one of \['a', 'b'\]"):
        create_analyzer(name, model)
    with pytest.raises(ValueError, match=r"\['a', 'b'\].*Received: output='c'"):
        create_analyzer(name, model, output="c")
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 2)).astype("f4")
    alone = keras.Model(one, heads[1])
    for output in ("b", 1):
        np.testing.assert_allclose(
            create_analyzer(name, model, output=output).analyze(x),
            create_analyzer(name, alone).analyze(x),
            rtol=1e-5,
        )


@pytest.mark.parametrize("name", ["lrp.epsilon", "gradient", "lrp.flat"])
def test_all_of_several_inputs_are_explained_or_one(name):
    one, two = keras.Input((4, 4, 2), name="one"), keras.Input((4, 4, 2), name="two")
    both = layers.Concatenate()([layers.Dense(3)(one), layers.Dense(3)(two)])
    model = keras.Model([one, two], layers.Dense(2)(layers.Flatten()(both)))
    randomised(model)
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(3, 4, 4, 2)).astype("f4") for _ in "ab"]
    maps = create_analyzer(name, model).analyze(x)
    assert [m.shape for m in maps] == [(3, 4, 4, 2)] * 2
    second = create_analyzer(name, model, input="two")
    np.testing.assert_allclose(second.analyze(x), maps[1], rtol=1e-5)
    np.testing.assert_allclose(
        second.analyze({"one": x[0], "two": x[1]}), maps[1], rtol=1e-5
    )
    if name.startswith("lrp"):
        audit = second.audit(x)
        assert (np.abs(audit["error"]) <= 1e-4 * np.abs(audit["logit"]) + 1e-4).all()
        np.testing.assert_allclose(
            second.audit_by_layer(x)["input one"], maps[0].sum((1, 2, 3)), rtol=1e-4
        )


def test_a_subclassed_model_is_refused():
    class Mine(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="functional or Sequential.*Received: Mine"):
        create_analyzer("lrp.epsilon", Mine())


def test_a_sequential_model_is_explained_as_the_functional_one():
    inputs = keras.Input((4, 4, 3))
    parts = [layers.Conv2D(2, 3, activation="relu"), layers.Flatten(), layers.Dense(2)]
    x = inputs
    for layer in parts:
        x = layer(x)
    functional = randomised(keras.Model(inputs, x))
    sequential = keras.Sequential([keras.Input((4, 4, 3)), *parts])
    images = np.random.default_rng(1).random((2, 4, 4, 3), dtype=np.float32)
    for name in ("lrp.epsilon", "gradient"):
        np.testing.assert_allclose(
            create_analyzer(name, sequential).analyze(images),
            create_analyzer(name, functional).analyze(images),
            rtol=1e-5,
        )
