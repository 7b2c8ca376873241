"""The original library behind the same call: refusals, the process, equal maps."""

import gc
import importlib.util
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from keras import layers

from medattn.explain import create_analyzer, list_analyzers
from medattn.models import create_model

INSTALLED = importlib.util.find_spec("innvestigate") is not None
needs_it = pytest.mark.skipif(not INSTALLED, reason="needs the extra innvestigate")

SIGNED = ("lrp.alpha_beta", "lrp.z_plus_fast", "smoothgrad", "random")
SHARED = [
    name
    for name in list_analyzers()
    if name in list_analyzers("innvestigate") and name not in SIGNED
]
NATIVE_ONLY = (
    ("se_micro_resnet", "product of a gate"),
    ("cbam_micro_resnet", "product of a gate"),
    ("micro_deit", "no layer norm"),
)


def randomised(model, seed=0):
    """Fills kernels and biases; batch norms get a mean and a shift, and no scale.

    With variance and scale of one, iNNvestigate's batch norm is the network's.
    """
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.path.endswith(("gamma", "moving_variance")):
            weight.assign(np.ones(weight.shape))
        else:
            weight.assign(rng.normal(0, 0.4, weight.shape))
    return model


def convolutions():
    """Activations inside the layers; padding same; maximum pooling; biases."""
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(5, 2, padding="valid", activation="relu")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(6, activation="relu")(x)
    return randomised(keras.Model(inputs, layers.Dense(4)(x)))


def strided():
    """Separate activations; strides; average pooling; a leading normalisation."""
    x = inputs = keras.Input((9, 9, 3))
    x = layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.1, 0.2, 0.3])(x)
    x = layers.Conv2D(4, 3, strides=2, padding="same")(x)
    x = layers.Activation("relu")(x)
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(5, 3, strides=1, padding="valid")(x)
    x = layers.ReLU()(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    return randomised(keras.Model(inputs, layers.Dense(4)(x)), seed=2)


def residual():
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same")(x)
    shortcut = x
    for index in range(2):
        x = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x) if not index else x
    x = layers.Activation("relu")(layers.Add()([shortcut, x]))
    x = layers.GlobalAveragePooling2D()(x)
    return randomised(keras.Model(inputs, layers.Dense(4)(x)), seed=1)


def densely_connected():
    """Norm, ReLU, convolution, as in DenseNet."""
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same")(x)
    for _ in range(2):
        y = layers.Activation("relu")(layers.BatchNormalization()(x))
        y = layers.Conv2D(3, 3, padding="same", use_bias=False)(y)
        x = layers.Concatenate()([x, y])
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(x))
    return randomised(keras.Model(inputs, layers.Dense(4)(x)), seed=3)


def images(model, count=3):
    """Half of the batch in [0, 1], as pixels are, half with both signs."""
    rng = np.random.default_rng(1)
    shape = (count, *model.input_shape[1:])
    return np.concatenate([rng.random(shape), rng.normal(size=shape)]).astype("f4")


@pytest.fixture(scope="module")
def theirs():
    """A function that creates its analyzers; the first keeps the process alive."""
    kept = [create_analyzer("input", convolutions(), engine="innvestigate")]

    def create(name, model, **options):
        return create_analyzer(name, model, engine="innvestigate", **options)

    yield create
    kept.clear()


def assert_same_maps(ours, theirs, rtol=1e-2):
    """Compares maps with the tolerance of iNNvestigate's own tests."""
    scale = np.abs(theirs).max()
    assert scale > 0 and np.isfinite(theirs).all()
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=rtol)


@pytest.mark.parametrize(("name", "message"), NATIVE_ONLY)
def test_unsupported_networks_are_refused_before_it_starts(monkeypatch, name, message):
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(ValueError, match=message) as refused:
        create_analyzer("lrp.epsilon", create_model(name), engine="innvestigate")
    assert "engine='medattn'" in str(refused.value)
    assert "Received: the step '" in str(refused.value)


def test_a_large_network_is_refused_for_its_size(monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    deep = keras.Sequential([keras.Input((3,)), *map(layers.Dense, [3] * 101)])
    with pytest.raises(ValueError, match="too large.*at most 100.*Received: 101 layer"):
        create_analyzer("lrp.z", deep, engine="innvestigate")


def test_two_inputs_a_constant_and_a_probability_are_refused(monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    a, b = keras.Input((3,)), keras.Input((3,))
    two = keras.Model([a, b], layers.Dense(2)(layers.Add()([a, b])))
    with pytest.raises(ValueError, match="several inputs"):
        create_analyzer("gradient", two, engine="innvestigate")
    shifted = keras.Model(a, layers.Dense(2)(a + 1.0))
    with pytest.raises(ValueError, match="adds a constant"):
        create_analyzer("gradient", shifted, engine="innvestigate")
    probability = keras.Model(a, layers.Dense(2, activation="softmax")(a))
    with pytest.raises(ValueError, match="knows no softmax"):
        create_analyzer("gradient", probability, engine="innvestigate", softmax="after")


def test_unknown_names_engines_and_options_are_refused_with_the_valid_ones():
    model = convolutions()
    with pytest.raises(ValueError, match="'medattn', 'innvestigate'"):
        create_analyzer("lrp.z", model, engine="zennit")
    with pytest.raises(ValueError, match="Unknown analyzer 'deep_lift.rescale'"):
        create_analyzer("deep_lift.rescale", model, engine="innvestigate")
    with pytest.raises(ValueError, match="'epsilon'.*Received: \\['eps'\\]"):
        create_analyzer("lrp.epsilon", model, engine="innvestigate", eps=1)
    with pytest.raises(ValueError, match="Expected time_limit > 0"):
        create_analyzer("lrp.z", model, engine="innvestigate", time_limit=0)


def test_a_missing_extra_is_refused_with_the_command_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="uv sync --extra innvestigate") as missing:
        create_analyzer("lrp.z", convolutions(), engine="innvestigate")
    assert "\n" not in str(missing.value)


@needs_it
def test_epsilon_gives_the_same_map_and_the_caller_is_unchanged(theirs):
    """Options are passed on, the index chooses, changed weights are noticed."""
    import tensorflow as tf

    model = convolutions()
    x, chosen = images(model), [0, 1, 2, 3, 0, 1]
    options = dict(neuron_selection_mode="index", epsilon=0.05)
    analyzer = theirs("lrp.epsilon", model, **options)
    ours = create_analyzer("lrp.epsilon", model, **options)
    first = analyzer.analyze(x, chosen)
    assert first.shape == x.shape and first.dtype == np.float32
    assert_same_maps(ours.analyze(x, chosen), first, rtol=1e-5)
    assert np.abs(first - theirs("lrp.z", model).analyze(x)).max() > 0.01

    model.layers[1].kernel.assign(0.5 * model.layers[1].kernel)
    changed = analyzer.analyze(x, chosen)
    assert_same_maps(ours.analyze(x, chosen), changed, rtol=1e-5)
    assert np.abs(changed - first).max() > 0.01

    assert tf.executing_eagerly() and keras.__version__.startswith("3.")
    assert "tf_keras" not in sys.modules and "innvestigate" not in sys.modules
    assert os.environ.get("TF_USE_LEGACY_KERAS") is None
    assert not hasattr(analyzer, "audit")


@needs_it
def test_its_own_refusal_is_passed_on_and_the_next_call_works(theirs):
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(2, 3, activation="tanh")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    with pytest.raises(ValueError, match="only supports ReLU") as refused:
        theirs("deep_taylor", model)
    assert "iNNvestigate refuses" in str(refused.value)
    x = images(model)
    found = theirs("input_t_gradient", model).analyze(x)
    assert_same_maps(create_analyzer("input_t_gradient", model).analyze(x), found)


@needs_it
@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED)
def test_every_shared_analyzer_gives_the_same_map_on_convolutions(theirs, name):
    model = convolutions()
    x = images(model)
    assert_same_maps(
        create_analyzer(name, model).analyze(x), theirs(name, model).analyze(x)
    )


@needs_it
@pytest.mark.slow
def test_alpha_beta_and_z_plus_fast_give_the_same_maps_where_they_are_defined(theirs):
    """Theirs needs alpha as an option; its fast z-plus assumes inputs >= 0."""
    model = convolutions()
    x = images(model)
    options = dict(alpha=3, beta=2, bias=False)
    assert_same_maps(
        create_analyzer("lrp.alpha_beta", model, **options).analyze(x),
        theirs("lrp.alpha_beta", model, **options).analyze(x),
    )
    name = "lrp.z_plus_fast"
    ours, fast = create_analyzer(name, model).analyze(x), theirs(name, model).analyze(x)
    assert_same_maps(ours[:3], fast[:3])
    assert np.abs(ours[3:] - fast[3:]).max() > 0.1 * np.abs(ours[3:]).max()


@needs_it
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "gradient",
        "input_t_gradient",
        "integrated_gradients",
        "guided_backprop",
        "lrp.z",
        "lrp.flat",
        "lrp.w_square",
        "lrp.alpha_2_beta_1",
        "lrp.sequential_preset_b",
    ],
)
def test_strides_paddings_and_a_normalised_image_give_the_same_maps(theirs, name):
    model = strided()
    x = images(model)
    assert_same_maps(
        create_analyzer(name, model).analyze(x), theirs(name, model).analyze(x)
    )


@needs_it
@pytest.mark.slow
@pytest.mark.parametrize("build", [residual, densely_connected])
@pytest.mark.parametrize("name", ["lrp.epsilon", "lrp.z"])
def test_epsilon_and_z_give_the_same_maps_on_residual_and_dense_networks(
    theirs, build, name
):
    """Where variance and scale of the batch norms are one: see docs/innvestigate.md."""
    model = build()
    x = images(model)
    assert_same_maps(
        create_analyzer(name, model).analyze(x), theirs(name, model).analyze(x)
    )


@needs_it
@pytest.mark.slow
def test_their_relevance_does_not_add_up_at_a_batch_norm_with_a_variance(theirs):
    """It divides by sqrt(variance squared + epsilon), see docs/innvestigate.md."""
    model = residual()
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_variance.assign(np.full(layer.moving_variance.shape, 0.1))
    x = images(model)
    ours = create_analyzer("lrp.z", model)
    audit = ours.audit(x)
    assert np.abs(audit["error"]).max() < 1e-4 * np.abs(audit["logit"]).max()
    other = theirs("lrp.z", model).analyze(x)
    difference = np.abs(other - ours.analyze(x)).max() / np.abs(ours.analyze(x)).max()
    assert difference > 0.1


@needs_it
@pytest.mark.slow
def test_the_process_ends_with_its_last_analyzer_and_at_the_time_limit(theirs):
    first = theirs("lrp.z", convolutions())
    process = first._worker._process
    limited = theirs("gradient", convolutions(), time_limit=60)
    assert limited._worker is first._worker
    limited.time_limit = 1e-6
    with pytest.raises(TimeoutError, match="took too long.*it was stopped"):
        limited.analyze(images(limited.model))
    assert process.poll() is not None
    limited.time_limit = 60  # and a new process starts
    assert limited.analyze(images(limited.model)).any()
    other = limited._worker._process
    del limited
    gc.collect()
    other.wait(10)


KILLED = """
import numpy as np, keras, sys, time
from medattn.explain import create_analyzer
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
analyzer = create_analyzer("gradient", model, engine="innvestigate")
print(analyzer._worker.pid, flush=True)
time.sleep(600)
"""


@needs_it
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_the_process_ends_when_the_caller_is_killed():
    caller = subprocess.Popen(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True
    )
    with caller:
        number = int(caller.stdout.readline())
        os.kill(number, 0)  # it runs
        caller.kill()
    for _ in range(100):
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the process outlived its caller")
