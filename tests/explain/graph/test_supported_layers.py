"""Layers and operations that medicine uses: every map adds up, in every rule."""

import keras
import numpy as np
import pytest
from keras import layers
from layer_forms import IMAGES, TOKENS, VOLUMES
from networks import randomised

from medattn.explain import create_analyzer, run_eagerly

FEW = ("lrp.epsilon", "lrp.attention", "deep_lift.rescale")
ALL = (
    *FEW,
    "lrp.gamma",
    "lrp.flat",
    "lrp.w_square",
    "lrp.alpha_1_beta_0",
    "deep_lift.reveal_cancel",
)


CASES = [
    (shape, name, build)
    for shape, table in (((6, 4), TOKENS), ((8, 8, 3), IMAGES), ((4, 6, 6, 1), VOLUMES))
    for name, build in table.items()
]


def network(shape, build, before=True):
    """A dense layer before, so that values have both signs; a nonlinear head after."""
    inputs = keras.Input(shape)
    x = layers.Dense(shape[-1])(inputs) if before else inputs
    x = layers.Flatten()(build()(x))
    x = layers.Dense(5, activation="relu")(x)
    return randomised(keras.Model(inputs, layers.Dense(3)(x)))


@pytest.mark.parametrize(
    "rules", [FEW, pytest.param(ALL[3:], marks=pytest.mark.slow)], ids=["few", "rest"]
)
@pytest.mark.parametrize(("shape", "name", "build"), CASES, ids=[c[1] for c in CASES])
def test_maps_of_a_layer_add_up_to_the_model(shape, name, build, rules):
    model = network(shape, build)
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    with run_eagerly():
        for rule in rules:
            analyzer = create_analyzer(rule, model)
            maps = analyzer.analyze(x)
            assert maps.shape == x.shape, rule
            assert np.abs(maps).max() > 0 or rule == "lrp.alpha_1_beta_0", rule
            audit = analyzer.audit(x)
            error = np.abs(audit["error"]) / np.maximum(1, np.abs(audit["logit"]))
            assert (error < 5e-4).all(), (rule, audit)


@pytest.mark.parametrize("name", ["LSTM", "MultiHeadAttention", "windows"])
def test_the_gates_of_a_layer_are_found_and_held(name):
    """Of what weighs, nothing is explained: relevance is linear in what is weighed."""
    model = network((6, 4), TOKENS[name])
    x = np.random.default_rng(0).normal(size=(1, 6, 4)).astype(np.float32)
    with run_eagerly():
        held = create_analyzer("lrp.z", model).analyze(x)
        shared = create_analyzer("lrp.z", model, gates="shared").analyze(x)
    assert np.abs(held - shared).max() > 1e-3 * np.abs(held).max()
