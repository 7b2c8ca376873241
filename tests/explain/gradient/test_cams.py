"""Class activation maps: the papers' equations in numpy, against tf-keras-vis."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy.ndimage import zoom

from medattn.explain import create_analyzer, visualize_neuron
from medattn.explain.gradient.cams import CAM_ANALYZERS, check_backend
from medattn.layers import SqueezeExcite
from medattn.models import create_model


@pytest.fixture(scope="module")
def small():
    """A small network with a nonlinear head, so that positions differ."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(5, 3, activation="relu", padding="same", name="early")(inputs)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Conv2D(6, 3, activation="relu", padding="same", name="last")(x)
    x = layers.Dense(12, activation="tanh")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(3)(x))
    return model, np.random.default_rng(0).random((4, 16, 16, 3)).astype(np.float32)


def features_and_gradients(model, images, neurons, name):
    """A_k and the derivative of the logit by it, at a layer with one call."""
    after = keras.Model(
        model.inputs[0], [model.outputs[0], model.get_layer(name).output]
    )
    with tf.GradientTape() as tape:
        x = tf.constant(images)
        tape.watch(x)
        logits, features = after(x)
        logit = tf.gather(logits, neurons, batch_dims=1)
    return features.numpy(), tape.gradient(logit, features).numpy(), logits.numpy()


def enlarged(cam):
    return zoom(cam, (1, 16 / cam.shape[1], 16 / cam.shape[2]), order=1)


def gradcam(A, dA):
    return np.maximum((A * dA.mean((1, 2), keepdims=True)).sum(-1), 0)


def gradcam_plus_plus(A, dA):
    """alpha = dA^2 / (2 dA^2 + sum(A) dA^3), scaled to sum to one over positions."""
    denominator = 2 * dA**2 + A.sum((1, 2), keepdims=True) * dA**3
    alpha = dA**2 / np.where(dA == 0, 1, denominator)
    total = alpha.sum((1, 2), keepdims=True)
    weight = (alpha / np.where(total == 0, 1, total) * np.maximum(dA, 0)).sum((1, 2))
    return np.maximum(np.einsum("bhwk,bk->bhw", A, weight), 0)


def layercam(A, dA):
    return np.maximum((A * np.maximum(dA, 0)).sum(-1), 0)


@pytest.mark.parametrize("layer", [None, "early"])
@pytest.mark.parametrize("formula", [gradcam, gradcam_plus_plus, layercam])
def test_maps_are_the_papers_formula(small, formula, layer):
    model, images = small
    neurons = np.array([2, 0, 1, 2])
    A, dA, _ = features_and_gradients(model, images, neurons, layer or "last")
    analyzer = create_analyzer(
        formula.__name__, model, neuron_selection_mode="index", layer=layer
    )
    found = analyzer.analyze(images, neurons)
    expected = enlarged(formula(A, dA))
    scale = expected.max()
    np.testing.assert_allclose(found.sum(-1), expected, rtol=1e-3, atol=1e-4 * scale)
    np.testing.assert_allclose(found[..., 0], found[..., 2])  # spread evenly


def test_scorecam_weighs_each_map_by_the_probability_under_its_mask(small):
    model, images = small
    neurons = np.array([2, 0, 1, 2])
    A, _, _ = features_and_gradients(model, images, neurons, "last")
    expected = np.zeros((4, 8, 8))
    for sample in range(4):
        for k in range(6):
            large = zoom(A[sample, :, :, k], 2, order=1, mode="nearest")
            span = large.max() - large.min()
            mask = (large - large.min()) / (span + 1e-7)
            masked = images[sample : sample + 1] * mask[None, ..., None]
            logits = np.asarray(model(masked))[0]
            weights = np.exp(logits - logits.max())
            probability = (weights / weights.sum())[neurons[sample]]
            expected[sample] += A[sample, :, :, k] * probability
    analyzer = create_analyzer("scorecam", model, neuron_selection_mode="index")
    found = analyzer.analyze(images, neurons).sum(-1)
    np.testing.assert_allclose(found, enlarged(expected), rtol=1e-3, atol=1e-4)


def test_the_largest_logit_is_explained_unless_one_is_chosen(small):
    model, images = small
    top = np.asarray(model(images)).argmax(-1)
    one = create_analyzer("gradcam", model).analyze(images)
    two = create_analyzer("gradcam", model, neuron_selection_mode="index")
    np.testing.assert_allclose(one, two.analyze(images, top), atol=1e-6)


@pytest.mark.slow
def test_with_a_linear_head_three_methods_are_known(trained, drawings):
    """After mean pooling dA is the same everywhere: LayerCAM = Grad-CAM++, and on one
    feature map at a time Grad-CAM is the rectified sum of w_k A_k / positions."""
    model, images = trained("se_micro_resnet"), drawings["image"][:3]
    maps = {
        name: create_analyzer(name, model, neuron_selection_mode="index").analyze(
            images, 1
        )
        for name in ("gradcam", "gradcam_plus_plus", "layercam")
    }
    np.testing.assert_allclose(
        maps["layercam"], maps["gradcam_plus_plus"], rtol=1e-3, atol=1e-5
    )
    last = keras.Model(model.inputs[0], model.get_layer("conv4_block1_out").output)
    A = np.asarray(last(images))
    weights = model.layers[-1].kernel.numpy()[:, 1] / (A.shape[1] * A.shape[2])
    expected = zoom(np.maximum(A @ weights, 0), (1, 16, 16), order=1)
    np.testing.assert_allclose(maps["gradcam"].sum(-1), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", CAM_ANALYZERS)
def test_a_map_is_the_same_alone_and_in_a_batch_and_never_negative(small, name):
    model, images = small
    options = {"max_n": 2} if name == "scorecam" else {}
    analyzer = create_analyzer(name, model, **options)
    batch = analyzer.analyze(images)
    assert batch.shape == images.shape and batch.min() >= 0 and batch.max() > 0
    np.testing.assert_allclose(analyzer.analyze(images[2:3]), batch[2:3], atol=1e-5)


def test_a_feature_map_inside_a_nested_model_and_before_a_softmax(small):
    model, images = small
    outer = keras.Input((16, 16, 3))
    probabilities = layers.Softmax()(model(outer))
    nested = keras.Model(outer, probabilities)
    with pytest.warns(UserWarning, match="ends in a softmax"):
        analyzer = create_analyzer("gradcam", nested, layer="early")
    flat = create_analyzer("gradcam", model, layer="early")
    np.testing.assert_allclose(
        analyzer.analyze(images), flat.analyze(images), atol=1e-6
    )


@pytest.mark.slow
def test_the_map_of_a_transformer_is_on_its_patches():
    """Only the input of the last attention has an effect on the class token."""
    keras.utils.set_random_seed(1)
    model = create_model("micro_deit")
    images = np.random.default_rng(1).random((2, 64, 64, 3)).astype(np.float32)
    neurons = np.array([0, 1])
    A, dA, _ = features_and_gradients(model, images, neurons, "blocks_2_norm1")
    A, dA = (x[:, 1:].reshape(2, 8, 8, -1) for x in (A, dA))
    analyzer = create_analyzer("gradcam", model, neuron_selection_mode="index")
    expected = zoom(gradcam(A, dA), (1, 8, 8), order=1)
    found = analyzer.analyze(images, neurons).sum(-1)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_the_model_is_unchanged(small):
    model, images = small
    before = [w.copy() for w in model.get_weights()]
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    create_analyzer("scorecam", model).analyze(images[:1])
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes
    for new, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)


def test_half_precision_is_explained_in_single_precision(small):
    model, images = small
    policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(6, 3, activation="relu", name="conv", dtype=policy)(inputs)
    x = SqueezeExcite(2, dtype=policy)(x)
    x = layers.GlobalAveragePooling2D(dtype=policy)(x)
    half = keras.Model(inputs, layers.Dense(2, dtype=policy)(x))
    found = create_analyzer("gradcam", half, layer="conv").analyze(images)
    assert found.dtype == np.float32 and np.isfinite(found).all()


def dense_only():
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs)))


def one_logit():
    inputs = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    return keras.Model(inputs, layers.Dense(1)(x))


@pytest.mark.parametrize(
    ("name", "build", "options", "message"),
    [
        ("gradcam", dense_only, {}, "no feature map to weigh"),
        ("scorecam", one_logit, {}, "always 1 for a single logit"),
        ("layercam", one_logit, {"layer": "nonsense"}, "layer='nonsense'"),
        ("layercam", one_logit, {"max_n": 3}, "max_n"),
    ],
)
def test_missing_feature_maps_are_refused_in_three_parts(name, build, options, message):
    with pytest.raises(ValueError, match=r"Expected.*Received: ") as error:
        create_analyzer(name, build(), **options)
    assert message in str(error.value)


def test_too_many_feature_maps_and_wrong_images_are_refused(small):
    model, images = small
    with pytest.raises(ValueError, match="max_n=7"):
        create_analyzer("scorecam", model, max_n=7)
    analyzer = create_analyzer("gradcam", model, neuron_selection_mode="index")
    with pytest.raises(ValueError, match="from 0 to 2"):
        analyzer.analyze(images, 3)
    with pytest.raises(ValueError, match="NaN"):
        analyzer.analyze(images * np.nan, 0)
    with pytest.raises(ValueError, match="Received: .0, 16, 16, 3"):
        analyzer.analyze(images[:0], 0)


def test_another_backend_is_refused_with_the_alternative(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="Expected.*tensorflow.*Received: 'jax'"):
        check_backend("GradCAM")


@pytest.mark.slow
def test_a_visualised_neuron_is_more_active_than_on_noise_and_repeatable(small):
    model, _ = small
    noise = np.random.default_rng(5).random((16, 16, 16, 3)).astype(np.float32)
    options = dict(steps=30, total_variation=1.0, jitter=1)
    for neuron in (0, 2):
        image = visualize_neuron(model, neuron, **options)
        assert image.shape == (16, 16, 3) and 0 <= image.min() and image.max() <= 1
        logits = np.asarray(model(np.concatenate([image[None], noise])))[:, neuron]
        assert logits[0] > logits[1:].max()
    again = visualize_neuron(model, 2, **options)
    np.testing.assert_array_equal(image, again)
    channel = visualize_neuron(model, 3, layer="last", **options)
    features = keras.Model(model.inputs[0], model.get_layer("last").output)
    means = np.asarray(features(np.concatenate([channel[None], noise]))).mean((1, 2))
    assert means[0, 3] > means[1:, 3].max()
    with pytest.raises(ValueError, match="from 0 to 2.*neuron=3"):
        visualize_neuron(model, 3)
