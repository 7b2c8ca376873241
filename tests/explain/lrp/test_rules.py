"""LRP's rules, each against plain numpy, and as a law on all networks."""

import keras
import numpy as np
import pytest
from keras import layers
from lrp_formulas import EXPECTED, parts, share
from networks import calibrated, one_layer, randomised, uncompiled

from medattn.explain import create_analyzer
from medattn.explain.lrp.analyzers import LRP_ANALYZERS
from medattn.models import create_model, list_models


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("neuron", [0, 2])
def test_a_rule_equals_the_formula_of_its_paper(name, neuron):
    model = one_layer()
    w, b = (weight.astype(np.float64) for weight in model.get_weights())
    x = np.random.default_rng(1).normal(size=6)
    c = x[:, None] * w
    R = np.where(np.arange(4) == neuron, c.sum(0) + b, 0)
    analyzer = create_analyzer(name, model, neuron_selection_mode="index")
    found = analyzer.analyze(x.reshape(1, 1, 1, 6), neuron).ravel()
    np.testing.assert_allclose(found, EXPECTED[name](c, b, R, w), rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["lrp.alpha_2_beta_1_IB", "lrp.gamma", "lrp.flat"])
def test_two_layers_are_one_rule_after_the_other(name):
    image = keras.Input((1, 1, 6))
    x = layers.Dense(5)(layers.Flatten()(image))
    model = randomised(keras.Model(image, layers.Dense(2)(layers.ReLU()(x))))
    w1, b1, w2, b2 = (weight.astype(np.float64) for weight in model.get_weights())
    x = np.random.default_rng(2).normal(size=6)
    active = np.maximum(x @ w1 + b1, 0)
    R = np.where(np.arange(2) == 1, active @ w2 + b2, 0)
    R = EXPECTED[name](active[:, None] * w2, b2, R, w2)
    expected = EXPECTED[name](x[:, None] * w1, b1, R, w1)
    analyzer = create_analyzer(name, model, neuron_selection_mode="index")
    found = analyzer.analyze(x.reshape(1, 1, 1, 6), 1).ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_rule_zb_uses_the_bounds_of_a_pixel():
    model = one_layer()
    w, b = model.get_weights()
    x = np.random.default_rng(3).random(6)
    c = x[:, None] * w - 0.0 * parts(w)[0] - 1.0 * parts(w)[1]
    R = np.where(np.arange(4) == 1, x @ w + b, 0)
    found = create_analyzer(
        "lrp.z", model, neuron_selection_mode="index", input_layer_rule=(0.0, 1.0)
    ).analyze(x.reshape(1, 1, 1, 6), 1)
    np.testing.assert_allclose(found.ravel(), share(c, c.sum(0), R), rtol=1e-4)


@pytest.mark.parametrize("name", [n for n in EXPECTED if n != "lrp.attention"])
@pytest.mark.parametrize("strides", [1, 2])
def test_a_convolution_shares_as_the_dense_layer_that_it_is(name, strides):
    """A convolution written out as a matrix, from its output for each unit image."""
    image = keras.Input((5, 5, 2))
    layer = layers.Conv2D(3, 3, strides=strides, padding="same")
    model = randomised(keras.Model(image, layers.Flatten()(layer(image))))
    units = np.eye(50, dtype=np.float32).reshape(50, 5, 5, 2)
    bias = np.asarray(model(np.zeros((1, 5, 5, 2), np.float32)))[0]
    matrix = np.asarray(model(units)) - bias
    x = np.random.default_rng(4).normal(size=(1, 5, 5, 2)).astype(np.float32)
    neuron = len(bias) // 2
    found = create_analyzer(name, model, neuron_selection_mode="index").analyze(
        x, neuron
    )
    c = x.reshape(50, 1) * matrix
    R = np.where(np.arange(len(bias)) == neuron, c.sum(0) + bias, 0)
    if name in ("lrp.flat", "lrp.w_square"):  # outside its window a pixel has no share
        window = np.abs(matrix[:, neuron]) > 1e-9
        weights = window if name == "lrp.flat" else matrix[:, neuron] ** 2
        expected = weights / weights.sum() * R[neuron]
    else:
        expected = EXPECTED[name](c, bias, R, matrix)
    np.testing.assert_allclose(found.ravel(), expected, rtol=2e-3, atol=1e-5)


def test_presets_use_one_rule_for_dense_layers_and_one_for_convolutions():
    image = keras.Input((5, 5, 2))
    x = layers.Conv2D(3, 3, name="conv")(image)
    head = layers.Dense(2, name="head")
    model = randomised(keras.Model(image, head(layers.Flatten()(layers.ReLU()(x)))))
    images = np.random.default_rng(5).random((2, 5, 5, 2)).astype(np.float32)
    top = keras.Model(image, x)
    for name, rule in (
        ("lrp.sequential_preset_a", "lrp.alpha_1_beta_0"),
        ("lrp.sequential_preset_b", "lrp.alpha_2_beta_1"),
    ):
        # Down to the convolution by numpy, with epsilon 0.1; then neuron by neuron.
        active = np.maximum(np.asarray(top(images)), 0).reshape(2, -1)
        w, b = head.get_weights()
        z = active @ w + b
        R = np.where(np.arange(2) == z.argmax(-1)[:, None], z, 0)
        R = active * ((R / (z + 0.1 * np.where(z >= 0, 1, -1))) @ w.T)
        flat = keras.Model(image, layers.Flatten()(x))
        single = create_analyzer(rule, flat, neuron_selection_mode="index")
        start = np.asarray(flat(images))
        expected = np.zeros_like(images)
        for k in range(R.shape[1]):
            expected += (
                single.analyze(images, k) * (R[:, k] / start[:, k])[:, None, None, None]
            )
        found = create_analyzer(name, model).analyze(images)
        np.testing.assert_allclose(found, expected, rtol=5e-3, atol=1e-4)


# --- the law -------------------------------------------------------------------

SOME = ("cbam_micro_resnet", "se_micro_densenet", "micro_deit")


def assert_adds_up(model, names):
    size = model.input_shape[1:]
    images = np.random.default_rng(6).random((2, *size)).astype(np.float32)
    for name in names:
        with uncompiled():
            audit = create_analyzer(name, model).audit(images)
        scale = np.maximum(1, np.abs(audit["logit"]))
        worst = np.max(np.abs(audit["error"]) / scale)
        assert worst <= 1e-4, f"{name} misses {worst:.1e} of the logit"


@pytest.mark.parametrize("network", SOME)
def test_relevance_adds_up_under_every_rule(network):
    assert_adds_up(randomised(create_model(network), 1), LRP_ANALYZERS)


# A network of full size has the layers of its micro sibling, many times: one rule of
# each family is enough there.
OF_EACH_FAMILY = (
    "lrp.epsilon", "lrp.alpha_2_beta_1", "lrp.gamma", "lrp.sequential_preset_a",
    "lrp.attention",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("network", [n for n in list_models() if n not in SOME])
def test_relevance_adds_up_under_every_rule_on_all_networks(network):
    keras.utils.set_random_seed(0)
    model = create_model(network, num_classes=2, input_shape=(64, 64, 3))
    micro = "micro" in network
    assert_adds_up(model, LRP_ANALYZERS if micro else ("lrp.epsilon",))  # as it starts
    assert_adds_up(randomised(model, 1), LRP_ANALYZERS if micro else OF_EACH_FAMILY)


@pytest.mark.slow
@pytest.mark.parametrize(
    "network", ["micro_resnet", "se_micro_resnet", "cbam_micro_resnet"]
)
def test_relevance_adds_up_under_every_rule_in_trained_networks(trained, network):
    assert_adds_up(trained(network), LRP_ANALYZERS)


# One network of each kind, at the size for which it was made.
FAMILIES = ("densenet121", "cbam_resnet50", "deit_tiny")
AT_224 = ("lrp.epsilon", "lrp.sequential_preset_a_flat", "lrp.attention")


@pytest.mark.slow
@pytest.mark.parametrize("network", FAMILIES)
def test_relevance_adds_up_at_224(network):
    assert_adds_up(calibrated(create_model(network), 1), AT_224)


def test_flat_and_w_square_do_not_depend_on_values():
    """A residual sum halves, a product passes on, a constant gets none; by hand."""
    image = keras.Input((1, 1, 2))
    x = layers.Flatten()(image)
    first, second = layers.Dense(2, name="first"), layers.Dense(1, name="second")
    gated = layers.Multiply()([x, keras.ops.sigmoid(first(x))])
    model = keras.Model(image, second(layers.Add()([x, gated])))
    second.set_weights([np.float32([[3.0], [1.0]]), np.float32([0.5])])
    x = np.float32([2.0, -1.0]).reshape(1, 1, 1, 2)
    logit = float(model(x)[0, 0])
    for name, shares in (("lrp.flat", [0.5, 0.5]), ("lrp.w_square", [0.9, 0.1])):
        found = create_analyzer(name, model).analyze(x).ravel()
        np.testing.assert_allclose(found, logit * np.array(shares), rtol=1e-5)


NORMS = {
    "layer": lambda: layers.LayerNormalization(epsilon=1e-3),
    "layer, unweighed": lambda: layers.LayerNormalization(center=False, scale=False),
    "layer, two axes": lambda: layers.LayerNormalization(axis=[2, 3]),
    "layer, rms scaling": lambda: layers.LayerNormalization(rms_scaling=True),
    "group": lambda: layers.GroupNormalization(2),
    "instance": lambda: layers.GroupNormalization(-1, scale=False),
    "root mean square": lambda: layers.RMSNormalization(),
}


@pytest.mark.filterwarnings("ignore:.*rms_scaling")
@pytest.mark.parametrize("norm", NORMS)
def test_relevance_adds_up_through_every_norm(norm):
    image = keras.Input((5, 5, 3))
    x = layers.Conv2D(4, 3, activation="relu")(image)
    x = layers.Conv2D(6, 1)(NORMS[norm]()(x))
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    randomised(model, 3)
    images = np.random.default_rng(7).random((3, 5, 5, 3)).astype(np.float32)
    logits = np.asarray(model(images)).max(-1)
    for name in (*LRP_ANALYZERS, "deep_lift.rescale", "deep_lift.reveal_cancel"):
        with uncompiled():
            audit = create_analyzer(name, model).audit(images)
        if "taylor" not in name:  # which explains a positive logit only
            np.testing.assert_allclose(audit["logit"], logits, rtol=1e-4)
        scale = np.maximum(1, np.abs(audit["logit"]))
        assert (np.abs(audit["error"]) <= 1e-4 * scale).all(), name


@pytest.mark.parametrize("rank", [1, 2])
def test_a_separable_convolution_is_its_two_convolutions(rank):
    """Rule z is gradient times input, wherever a layer ends."""
    image = keras.Input((9,) * rank + (3,))
    size = (5,) * rank + (4,)
    kinds = {
        1: (layers.SeparableConv1D, layers.DepthwiseConv1D, layers.Conv1D),
        2: (layers.SeparableConv2D, layers.DepthwiseConv2D, layers.Conv2D),
    }
    one, deep, point = kinds[rank]
    how = dict(strides=2, padding="same")
    first = one(4, 3, depth_multiplier=2, name="one", **how)
    deep = deep(3, depth_multiplier=2, use_bias=False, name="deep", **how)
    point, dense = point(4, 1, name="point"), layers.Dense(2, name="dense")

    def closed(x):
        assert x.shape[1:] == size
        return keras.Model(image, dense(layers.Flatten()(layers.ReLU()(x))))

    together, apart = closed(first(image)), closed(point(deep(image)))
    randomised(apart, 4)
    weights = [*deep.get_weights(), *point.get_weights()]
    first.set_weights([weights[0], weights[1], weights[2]])
    images = np.random.default_rng(8).random((2, *image.shape[1:])).astype(np.float32)
    for name in ("lrp.z", "deep_lift.rescale"):
        found, expected = (
            create_analyzer(name, m).analyze(images) for m in (together, apart)
        )
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    for name in LRP_ANALYZERS:
        with uncompiled():
            audit = create_analyzer(name, together).audit(images)
        assert (np.abs(audit["error"]) <= 1e-4 * np.maximum(1, audit["logit"])).all()


@pytest.mark.parametrize("name", ["lrp.alpha_2_beta_1_IB", "lrp.z_plus"])
def test_relevance_that_no_input_can_take_is_counted_as_dropped(name):
    """One neuron, all contributions negative: z-plus has no input to give its -6 to."""
    image = keras.Input((1, 1, 2))
    model = keras.Model(image, layers.Dense(1, use_bias=False)(layers.Flatten()(image)))
    model.set_weights([np.float32([[-1.0], [-2.0]])])
    audit = create_analyzer(name, model).audit(np.full((1, 1, 1, 2), 2.0))
    # alpha 2 of nothing, minus beta 1 of -6 shared out: 2 * -6 dropped, +6 relevance.
    expected = {"lrp.z_plus": (0, -6), "lrp.alpha_2_beta_1_IB": (6, -12)}[name]
    assert (audit["relevance"][0], audit["dropped"][0]) == pytest.approx(expected)
    assert abs(audit["error"][0]) < 1e-6
