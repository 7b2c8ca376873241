"""LRP-epsilon: against plain numpy, by hand, and as a law."""

import keras
import numpy as np
import pytest
from keras import layers

from medattn.explain import create_analyzer
from medattn.layers import CBAM, SqueezeExcite
from medattn.models import create_model

MODELS = ("micro_resnet", "se_micro_resnet", "cbam_micro_resnet")
REGIMES = (0.01, 0.1, 0.5, 1.0)


def stabilise(z, epsilon):
    return z + epsilon * np.where(z >= 0, 1, -1)


def randomised(model, seed=0):
    """Fills every weight, biases and batch-norm shifts too."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.path.endswith(("gamma", "moving_variance")):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        else:
            weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


def dense_net():
    inputs = keras.Input((1, 1, 4))
    x = layers.Flatten()(inputs)
    x = layers.Dense(6)(x)
    x = layers.Activation("relu")(x)
    return randomised(keras.Model(inputs, layers.Dense(3)(x)))


@pytest.mark.parametrize("epsilon", [1e-7, 0.01, 0.5])
def test_two_dense_layers_equal_the_papers_sum(epsilon):
    """R_j = x_j sum_k w_jk R_k / (z_k + epsilon sign z_k), written out twice."""
    model = dense_net()
    x = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    (w1, b1, w2, b2) = (weight.numpy() for weight in model.weights)
    hidden = x @ w1 + b1
    active = np.maximum(hidden, 0)
    z = active @ w2 + b2
    top = z.argmax(-1)
    relevance = np.zeros_like(z)
    relevance[np.arange(5), top] = z[np.arange(5), top]
    relevance = active * ((relevance / stabilise(z, epsilon)) @ w2.T)
    expected = x * ((relevance / stabilise(hidden, epsilon)) @ w1.T)

    analyzer = create_analyzer("lrp.epsilon", model, epsilon=epsilon)
    found = analyzer.analyze(x.reshape(5, 1, 1, 4))
    np.testing.assert_allclose(found.reshape(5, 4), expected, rtol=2e-4, atol=1e-5)


def test_one_neuron_by_hand():
    """z = 1*2 + 3*1 + 1 = 6: with epsilon 0 the inputs get 2 and 3, the bias 1."""
    inputs = keras.Input((1, 1, 2))
    outputs = layers.Dense(1)(layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    model.set_weights([np.float32([[2.0], [1.0]]), np.float32([1.0])])
    x = np.float32([1, 3]).reshape(1, 1, 1, 2)
    analyzer = create_analyzer("lrp.epsilon", model, epsilon=0.0)
    np.testing.assert_allclose(analyzer.analyze(x).ravel(), [2, 3], rtol=1e-6)
    audit = analyzer.audit(x)
    assert [float(audit[k][0]) for k in ("logit", "relevance", "absorbed")] == [6, 5, 1]
    # With epsilon 2 the denominator is 8: 6 * 2 / 8 = 1.5 and 6 * 3 / 8 = 2.25.
    larger = create_analyzer("lrp.epsilon", model, epsilon=2.0)
    np.testing.assert_allclose(larger.analyze(x).ravel(), [1.5, 2.25], rtol=1e-6)
    assert float(larger.audit(x)["absorbed"][0]) == pytest.approx(6 - 3.75)


@pytest.mark.parametrize("epsilon", [1e-7, 0.3])
def test_convolution_and_batch_norm_share_as_one_folded_layer(epsilon):
    """With the norm folded into the kernel by hand, the map is the same."""
    inputs = keras.Input((7, 7, 2))
    x = layers.Conv2D(4, 3, use_bias=False, padding="same", name="conv")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(x))
    model = randomised(keras.Model(inputs, layers.Dense(2, name="head")(x)))

    norm = model.get_layer("norm")
    scale = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    shift = norm.beta.numpy() - norm.moving_mean.numpy() * scale
    inputs = keras.Input((7, 7, 2))
    x = layers.Conv2D(4, 3, padding="same", name="conv")(inputs)
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(x))
    folded = keras.Model(inputs, layers.Dense(2, name="head")(x))
    folded.get_layer("conv").set_weights(
        [model.get_layer("conv").kernel.numpy() * scale, shift]
    )
    folded.get_layer("head").set_weights(model.get_layer("head").get_weights())

    images = np.random.default_rng(2).random((3, 7, 7, 2)).astype(np.float32)
    one, two = (
        create_analyzer("lrp.epsilon", m, epsilon=epsilon).analyze(images)
        for m in (model, folded)
    )
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("block", [SqueezeExcite, CBAM])
def test_a_gate_is_a_constant_factor_of_the_signal(block):
    """With the gate written into the weights as a number, the map is the same."""
    inputs = keras.Input((5, 5, 3))
    gated = layers.Conv2D(4, 1, use_bias=False, name="conv")(inputs)
    gate = block(2, name="gate")
    model = keras.Model(
        inputs, layers.Dense(2, name="head")(layers.Flatten()(gate(gated)))
    )
    randomised(model)
    image = np.random.default_rng(3).normal(size=(1, 5, 5, 3)).astype(np.float32)
    features = model.get_layer("conv")(image)
    scores = np.broadcast_to(gate.scores(features), (1, 5, 5, 4)).reshape(-1, 1)

    frozen = keras.Model(
        inputs,
        layers.Dense(2, name="frozen")(layers.Flatten()(gated)),
    )
    kernel, bias = model.get_layer("head").get_weights()
    frozen.get_layer("frozen").set_weights([kernel * scores, bias])
    one, two = (
        create_analyzer("lrp.epsilon", m, neuron_selection_mode="index").analyze(
            image, 1
        )
        for m in (model, frozen)
    )
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5)
    assert np.abs(one).sum() > 0.1


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("regime", REGIMES)
def test_relevance_adds_up_to_the_logit_in_trained_networks(
    trained, drawings, name, regime
):
    model = trained(name, regime)
    analyzer = create_analyzer("lrp.epsilon", model)
    images = drawings["image"]
    audit = analyzer.audit(images)
    scale = np.maximum(1, np.abs(audit["logit"]))
    assert (np.abs(audit["error"]) <= 1e-4 * scale).all()
    # Each entry stands on its own: the logit is the model's, the relevance the map's.
    np.testing.assert_allclose(
        audit["logit"], np.asarray(model(images)).max(-1), rtol=1e-4, atol=1e-4
    )
    summed = analyzer.analyze(images).sum((1, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(audit["relevance"], summed, atol=1e-3)
    # And it would not add up without what the biases took.
    assert np.median(np.abs(audit["absorbed"])) > 0.1


DENSENETS = ("micro_densenet", "se_micro_densenet", "cbam_micro_densenet")


@pytest.mark.parametrize("name", MODELS + DENSENETS)
def test_relevance_adds_up_with_random_weights_and_any_epsilon(name):
    model = randomised(create_model(name))
    images = np.random.default_rng(4).random((3, 64, 64, 3)).astype(np.float32)
    for epsilon in (0.0, 1e-7, 0.25):
        audit = create_analyzer("lrp.epsilon", model, epsilon=epsilon).audit(images)
        assert (np.abs(audit["error"]) <= 1e-4 * np.abs(audit["logit"]) + 1e-4).all()


@pytest.mark.parametrize("epsilon", [0.0, 1e-7])
def test_where_nothing_comes_in_relevance_is_zero_and_not_a_nan(epsilon):
    inputs = keras.Input((3, 3, 2))
    x = layers.Conv2D(4, 3, use_bias=False)(inputs)
    model = keras.Model(inputs, layers.Dense(2, use_bias=False)(layers.Flatten()(x)))
    analyzer = create_analyzer("lrp.epsilon", model, epsilon=epsilon)
    assert (analyzer.analyze(np.zeros((1, 3, 3, 2), np.float32)) == 0).all()


def test_without_biases_the_pixels_sum_to_the_logit():
    model = create_model("cbam_micro_resnet")  # fresh: shifts and biases are zero
    images = np.random.default_rng(5).random((2, 64, 64, 3)).astype(np.float32)
    analyzer = create_analyzer("lrp.epsilon", model)
    audit = analyzer.audit(images)
    np.testing.assert_allclose(audit["relevance"], audit["logit"], rtol=1e-4)
    assert np.abs(audit["absorbed"]).max() < 1e-4


def test_the_audit_by_layer_names_each_layer_and_sums_to_the_audit(trained, drawings):
    analyzer = create_analyzer("lrp.epsilon", trained("se_micro_resnet"))
    images = drawings["image"][:4]
    by_layer, audit = analyzer.audit_by_layer(images), analyzer.audit(images)
    assert {"pixels", "conv1_bn", "conv4_block1_3_bn", "predictions"} <= set(by_layer)
    assert not any("_se" in name for name in by_layer)  # nothing flows through a gate
    total = sum(by_layer.values())
    np.testing.assert_allclose(total, audit["relevance"] + audit["absorbed"], rtol=1e-9)


def test_a_map_is_the_same_alone_and_in_a_batch(trained, drawings):
    analyzer = create_analyzer("lrp.epsilon", trained("cbam_micro_resnet"))
    batch = analyzer.analyze(drawings["image"][:6])
    for index in (0, 5):
        alone = analyzer.analyze(drawings["image"][index : index + 1])[0]
        np.testing.assert_allclose(batch[index], alone, rtol=1e-3, atol=1e-5)


def test_the_chosen_neuron_is_the_one_explained(trained, drawings):
    model, images = trained("micro_resnet"), drawings["image"][:3]
    analyzer = create_analyzer("lrp.epsilon", model, neuron_selection_mode="index")
    logits = np.asarray(model(images))
    np.testing.assert_allclose(
        analyzer.audit(images, 0)["logit"], logits[:, 0], rtol=1e-4, atol=1e-5
    )
    picked = analyzer.audit(images, [1, 0, 1])["logit"]
    np.testing.assert_allclose(picked, logits[[0, 1, 2], [1, 0, 1]], rtol=1e-4)


def test_the_model_is_left_as_it_was(drawings):
    model = create_model("cbam_micro_resnet")
    before = [weight.numpy().copy() for weight in model.weights]
    flags = [weight.trainable for weight in model.weights]
    answer = np.asarray(model(drawings["image"][:2]))
    create_analyzer("lrp.epsilon", model).audit(drawings["image"][:2])
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)
    assert [weight.trainable for weight in model.weights] == flags
    np.testing.assert_array_equal(np.asarray(model(drawings["image"][:2])), answer)


def test_an_explanation_follows_a_model_whose_weights_change(drawings):
    model = create_model("micro_resnet")
    analyzer = create_analyzer("lrp.epsilon", model)
    image = drawings["image"][:1]
    before = analyzer.analyze(image)
    randomised(model, seed=9)
    after = analyzer.analyze(image)
    fresh = create_analyzer("lrp.epsilon", model).analyze(image)
    np.testing.assert_allclose(after, fresh, rtol=1e-4, atol=1e-6)
    assert not np.allclose(before, after)


def test_relevance_is_the_same_however_pixels_are_normalised():
    """The normaliser passes relevance on: the map speaks of the pixel behind it."""
    inputs = keras.Input((4, 4, 1))
    scaled = layers.Rescaling(2.0, offset=-1.0)(inputs)
    head = layers.Dense(1, name="head")
    normalised = keras.Model(inputs, head(layers.Flatten()(scaled)))
    inner_inputs = keras.Input((4, 4, 1))
    inner = keras.Model(inner_inputs, head(layers.Flatten()(inner_inputs)))
    randomised(normalised)
    image = np.random.default_rng(6).random((1, 4, 4, 1)).astype(np.float32)
    np.testing.assert_allclose(
        create_analyzer("lrp.epsilon", normalised).analyze(image),
        create_analyzer("lrp.epsilon", inner).analyze(2 * image - 1),
        rtol=1e-5,
    )


def test_input_times_gradient_is_the_gradient_times_the_input(drawings):
    model = create_model("micro_resnet")
    images = drawings["image"][:2]
    gradient = create_analyzer("gradient", model).analyze(images)
    product = create_analyzer("input_t_gradient", model).analyze(images)
    np.testing.assert_allclose(product, images * gradient, rtol=1e-5, atol=1e-7)
    # A small step along the gradient raises the logit by its squared length.
    step = 1e-4 / np.abs(gradient).max()
    rise = np.asarray(model(images + step * gradient)).max(-1) - np.asarray(
        model(images)
    ).max(-1)
    np.testing.assert_allclose(rise, step * (gradient**2).sum((1, 2, 3)), rtol=0.05)


def test_a_step_without_a_rule_is_named_with_how_to_register_one():
    inputs = keras.Input((4, 4, 2))
    x = keras.ops.sort(inputs, axis=1)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    with pytest.raises(ValueError, match=r"\(Sort\) has no LRP rule.*register_rule"):
        create_analyzer("lrp.epsilon", model)


def test_two_signals_share_their_product_evenly():
    """2 * 3 = 6: three to each, in whatever order."""
    inputs = keras.Input((1, 1, 2))
    flat = layers.Flatten()(inputs)
    product = layers.Multiply()([flat[:, :1], flat[:, 1:]])
    model = keras.Model(inputs, product)
    x = np.float32([2, 3]).reshape(1, 1, 1, 2)
    relevance = create_analyzer("lrp.epsilon", model).analyze(x)
    np.testing.assert_allclose(relevance.ravel(), [3, 3], rtol=1e-6)


def test_a_factor_may_be_a_number():
    """Scaling by a constant is linear: nothing is absorbed or lost."""
    inputs = keras.Input((4, 4, 2))
    x = layers.Conv2D(3, 1, use_bias=False)(inputs) * 2.5
    model = keras.Model(inputs, layers.Dense(2, use_bias=False)(layers.Flatten()(x)))
    images = np.random.default_rng(7).normal(size=(2, 4, 4, 2)).astype(np.float32)
    audit = create_analyzer("lrp.epsilon", model).audit(images)
    np.testing.assert_allclose(audit["relevance"], audit["logit"], rtol=1e-4)
    assert np.abs(audit["absorbed"]).max() < 1e-4


def test_a_relu_with_a_maximum_passes_its_output_on():
    """min(8, 6) = 6: the only input takes the six, and the head's bias its one."""
    inputs = keras.Input((1, 1, 1))
    x = layers.ReLU(max_value=6)(layers.Flatten()(inputs))
    model = keras.Model(inputs, layers.Dense(1)(x))
    model.set_weights([np.float32([[1.0]]), np.float32([1.0])])
    audit = create_analyzer("lrp.epsilon", model).audit(np.full((1, 1, 1, 1), 8.0))
    assert [float(audit[k][0]) for k in ("logit", "relevance", "absorbed")] == [7, 6, 1]
