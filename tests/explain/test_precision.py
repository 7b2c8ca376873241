"""Double precision: where single loses its digits, and only there."""

import keras
import numpy as np
import pytest
from keras import layers
from lrp_formulas import EXPECTED
from networks import one_layer, randomised

from medattn.explain import create_analyzer
from medattn.models import create_model

DOUBLE = {"precision": "float64"}


@pytest.mark.parametrize("name", EXPECTED)
def test_double_precision_equals_numpy_in_double(name):
    model = one_layer()
    w, b = (weight.astype(np.float64) for weight in model.get_weights())
    x = np.random.default_rng(1).normal(size=6).astype(np.float32)
    c = x[:, None] * w
    R = np.where(np.arange(4) == 2, c.sum(0) + b, 0)
    analyzer = create_analyzer(name, model, neuron_selection_mode="index", **DOUBLE)
    found = analyzer.analyze(x.reshape(1, 1, 1, 6), 2)
    assert found.dtype == np.float64
    np.testing.assert_allclose(
        found.ravel(), EXPECTED[name](c, b, R, w), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("network", ["cbam_micro_resnet", "micro_deit"])
def test_every_step_of_a_network_is_computed_in_double(network):
    """LRP and DeepLIFT agree: one float32 would cost eleven digits."""
    model = randomised(create_model(network), 2)
    images = np.random.default_rng(3).random((2, 64, 64, 3)).astype(np.float32)
    lift = create_analyzer("deep_lift.rescale", model, **DOUBLE).audit(images)
    gap = np.abs(lift["logit"] - lift["reference"])
    assert (np.abs(lift["error"]) <= 1e-10 * gap).all()
    for name in ("lrp.epsilon", "lrp.w_square", "lrp.attention"):
        audit = create_analyzer(name, model, **DOUBLE).audit(images)
        total = audit["relevance"] + audit["absorbed"] + audit["dropped"]
        np.testing.assert_allclose(total, lift["logit"], rtol=1e-9)
        np.testing.assert_allclose(audit["logit"], lift["logit"], rtol=1e-4, atol=1e-5)


def almost_cancelling():
    """Two inputs that almost cancel: 3000 (x + y) - 3000 (x + y), and a bit of x."""
    image = keras.Input((1, 1, 2))
    x = layers.Dense(2, use_bias=False, name="first")(layers.Flatten()(image))
    model = keras.Model(image, layers.Dense(1, use_bias=False, name="last")(x))
    first = np.float32([[3000, 2999.999], [1 / 3, 0.3333]])
    model.get_layer("first").set_weights([first])
    model.get_layer("last").set_weights([np.float32([[1], [-1]])])
    return model, (first[:, 0].astype(np.float64) - first[:, 1])


@pytest.mark.parametrize("name", ["deep_lift.rescale", "deep_lift.reveal_cancel"])
def test_contributions_that_almost_cancel_are_computed_in_double(name):
    model, slopes = almost_cancelling()
    # The second input cancels the 0.3 of the first, but for a thousandth.
    x = np.float32([0.3, -0.3 * slopes[0] / slopes[1] * 0.999]).reshape(1, 1, 1, 2)
    expected = x.ravel() * slopes
    assert np.abs(expected).sum() > 300 * abs(expected.sum())
    audit = create_analyzer(name, model).audit(x)
    assert abs(audit["error"][0]) <= 1e-4 * abs(expected.sum())
    found = create_analyzer(name, model).analyze(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-6)
    single = create_analyzer(name, model, precision="float32").audit(x)
    assert abs(single["error"][0]) > 1e-3 * abs(expected.sum())


def test_only_the_images_that_need_it_are_computed_again():
    model, slopes = almost_cancelling()
    plain = np.float32([0.3, 0.2])
    hard = np.float32([0.3, -0.3 * slopes[0] / slopes[1] * 0.999])
    both = np.stack([plain, hard]).reshape(2, 1, 1, 2)
    auto = create_analyzer("deep_lift.rescale", model)
    single = create_analyzer("deep_lift.rescale", model, precision="float32")
    double = create_analyzer("deep_lift.rescale", model, precision="float64")
    found = auto.analyze(both)
    np.testing.assert_array_equal(found[0], single.analyze(both)[0])
    np.testing.assert_array_equal(found[1], double.analyze(both)[1].astype(np.float32))
    np.testing.assert_array_equal(
        found, np.concatenate([*map(auto.analyze, (both[:1], both[1:]))])
    )


def test_an_audit_in_double_is_compared_with_the_logit_in_double():
    """By hand: two large contributions that almost cancel; float32 rounds their sum."""
    image = keras.Input((1, 1, 2))
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(image)))
    kernel = np.array([[3e6, 1], [-2.9999e6, 1]], np.float32)
    model.set_weights([kernel, np.array([0.7, 0], np.float32)])
    x = np.array([[0.1, 0.1000037], [0.5, 0.25]], np.float32)
    wide = x.astype(np.float64) @ kernel.astype(np.float64)[:, 0] + np.float32(0.7)
    analyzer = create_analyzer("lrp.z", model, neuron_selection_mode="index")
    audit = analyzer.audit(x.reshape(2, 1, 1, 2), 0)
    rounded = model.predict_on_batch(x.reshape(2, 1, 1, 2))[:, 0]
    assert abs(rounded[0] - wide[0]) > 1e-3  # or it would prove nothing
    assert audit["logit"][0] == pytest.approx(wide[0], rel=1e-12)
    assert audit["logit"][1] == rounded[1]  # that one needs no double
    # A map of float32 rounds each large contribution; in double nothing is missing.
    analyzer = create_analyzer("lrp.z", model, neuron_selection_mode="index", **DOUBLE)
    audit = analyzer.audit(x.reshape(2, 1, 1, 2), 0)
    np.testing.assert_allclose(audit["logit"], wide, rtol=1e-12)
    assert (np.abs(audit["error"]) < 1e-9 * 3e6).all()


def test_alpha_2_beta_1_adds_up_though_its_parts_grow_at_every_layer():
    image = x = keras.Input((1, 1, 16))
    x = layers.Flatten()(x)
    for _ in range(12):
        x = layers.Dense(64, activation="relu")(x)
    model = randomised(keras.Model(image, layers.Dense(2)(x)), 4)
    images = np.random.default_rng(0).random((2, 1, 1, 16)).astype(np.float32)
    for name in ("lrp.alpha_2_beta_1", "lrp.sequential_preset_b"):
        maps, audit, _ = create_analyzer(name, model).analyze_and_audit(images)
        scale = np.maximum(1, np.abs(audit["logit"]))
        assert (np.abs(audit["error"]) <= 1e-5 * scale).all()


@pytest.mark.parametrize("name", ["lrp.epsilon", "deep_lift.rescale"])
def test_an_unknown_precision_is_answered_with_the_valid_ones(name):
    with pytest.raises(ValueError, match="Expected one of.*auto.*Received.*float16"):
        create_analyzer(name, one_layer(), precision="float16")


def test_double_is_refused_where_keras_computes_in_single(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow.*'jax'"):
        create_analyzer("lrp.epsilon", one_layer(), precision="float64")
