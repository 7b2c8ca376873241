"""A map that is not the model's is refused, or announced; masks, numbers, contrast."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from networks import one_layer, randomised

from medattn.explain import create_analyzer, register_rule, run_eagerly
from medattn.explain.graph.registry import REGISTERED

BOTH = ("lrp.epsilon", "deep_lift.rescale")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def explained(name, model, x, selection=None, **options):
    with run_eagerly():
        analyzer = create_analyzer(name, model, **options)
        return analyzer.analyze(x, selection), analyzer.audit(x, selection)


def closes(audit, tolerance=1e-4):
    scale = np.maximum(1, np.abs(audit["logit"]))
    return (np.abs(audit["error"]) < tolerance * scale).all()


class Squared(layers.Layer):
    def call(self, x):
        return tf.square(x)


def with_layer(layer, units=4):
    image = keras.Input((units,))
    return randomised(keras.Model(image, layers.Dense(3)(layer(image))))


def test_a_rule_that_computes_another_value_is_an_error_that_names_the_step():
    model = with_layer(Squared(name="mine"))
    register_rule(Squared, lrp=lambda propagator, step, x: 2 * x)
    try:
        with run_eagerly(), pytest.raises(ValueError, match="first step.*'mine'.*rule"):
            create_analyzer("lrp.epsilon", model).analyze(normal(2, 4))
    finally:
        REGISTERED.pop(Squared)


def test_a_rule_that_loses_relevance_is_announced():
    def half(propagator, step, x):
        return ops.stop_gradient(x * x) / 2 + x * ops.stop_gradient(x) / 2

    model = with_layer(Squared(name="mine"))
    register_rule(Squared, lrp=half)
    try:
        with run_eagerly(), pytest.warns(UserWarning, match="does not add up"):
            create_analyzer("lrp.epsilon", model).analyze(normal(2, 4))
    finally:
        REGISTERED.pop(Squared)


class Drops(layers.Layer):
    """Computes something else in training's absence than it shows when it is opened."""

    def call(self, x):
        return x * 2 if isinstance(x, keras.KerasTensor) else x * 3


def test_a_layer_that_shows_something_else_is_an_error_that_names_it():
    model = with_layer(Drops(name="false"))
    for name in BOTH:
        with run_eagerly(), pytest.raises(ValueError, match="first step that differs"):
            create_analyzer(name, model).analyze(normal(2, 4))
        with run_eagerly(), pytest.raises(ValueError, match="first step that differs"):
            create_analyzer(name, model).audit(normal(2, 4))


def test_a_map_that_is_no_number_is_refused_with_its_step():
    model = with_layer(layers.Lambda(lambda x: ops.log(x - 1)))
    with run_eagerly(), pytest.raises(ValueError, match="no numbers.*first such value"):
        create_analyzer("lrp.epsilon", model).analyze(np.zeros((1, 4)))


SOFTMAXES = {
    "softmax": "softmax",
    "tensorflow": tf.nn.softmax,
    "lambda": lambda x: ops.softmax(x),
    "written": lambda x: ops.exp(x) / ops.sum(ops.exp(x), axis=-1, keepdims=True),
}


@pytest.mark.parametrize("name", SOFTMAXES)
def test_a_softmax_by_any_name_mixes_its_channels(name):
    model = one_layer(2, 2, activation=SOFTMAXES[name], use_bias=False)
    model.layers[-1].set_weights([np.eye(2)])
    x = np.float32([2, 1]).reshape(1, 1, 1, 2)
    maps, audit = explained("deep_lift.rescale", model, x, softmax="after")
    assert closes(audit)
    assert maps.ravel()[1] < -0.05  # the second logit takes from the first
    np.testing.assert_allclose(audit["logit"], np.exp(2) / (np.exp(2) + np.e), 1e-5)


@pytest.mark.parametrize("name", ["tensorflow", "lambda"])
def test_a_softmax_by_any_name_is_left_out_with_a_warning(name):
    model = one_layer(2, 2, activation=SOFTMAXES[name])
    for analyzer in (*BOTH, "gradient"):
        with pytest.warns(UserWarning, match="ends in a softmax"):
            create_analyzer(analyzer, model)


@pytest.mark.parametrize(
    "activation", ["log_softmax", lambda x: x - ops.max(x, -1)[:, None]]
)
def test_an_activation_that_mixes_channels_is_explained_so(activation):
    model = one_layer(3, 3, activation=activation)
    for name in BOTH:
        assert closes(explained(name, model, normal(2, 1, 1, 3))[1])


@pytest.mark.parametrize("activation", ["sparsemax", lambda x: tf.sort(x, axis=-1)])
def test_an_activation_that_mixes_channels_without_a_rule_is_refused(activation):
    model = one_layer(3, 3, activation=activation)
    for name in BOTH:
        with pytest.raises(ValueError, match="no .* rule"):
            create_analyzer(name, model)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.nn.leaky_relu(x),
        lambda x: ops.sin(x) + 1,
        lambda x: x**3,
        lambda x: ops.clip(x, -0.5, 0.5),
        lambda x: tf.reverse(x, [-1]) - 1,
        lambda x: tf.signal.fft(tf.cast(x, tf.complex64)).__abs__() * 0 + x,
        lambda x: 1 - x,
        lambda x: ops.maximum(x, 0.3),
        lambda x: ops.minimum(0.2, x),
        lambda x: ops.abs(x) + ops.std(x, axis=-1, keepdims=True),
        lambda x: x * ops.cast(x > 0.1, "float32") + x,
    ],
)
def test_what_a_lambda_does_is_found_by_trying(function):
    model = with_layer(layers.Lambda(function))
    try:
        audits = [explained(name, model, normal(2, 4))[1] for name in BOTH]
    except ValueError as error:
        assert "rule" in str(error) and "Received" in str(error)
    else:
        assert all(closes(audit) for audit in audits)


def tokens(**options):
    ids = keras.Input((6,), dtype="int32", name="ids")
    x = layers.Embedding(20, 4, name="words", **options)(ids)
    return ids, x


@pytest.mark.parametrize("name", ["gradient", "integrated_gradients", *BOTH])
def test_whole_numbers_are_refused_and_explained_at_the_embedding(name):
    ids, x = tokens()
    place = layers.Embedding(6, 4, name="places")(ops.arange(6))
    x = layers.Conv1D(5, 3, activation="relu")(x + place)
    model = randomised(keras.Model(ids, layers.Dense(2)(ops.mean(x, axis=1))))
    with pytest.raises(ValueError, match=r"'ids'.*at='words'.*Received: int32"):
        create_analyzer(name, model)
    words = np.arange(12).reshape(2, 6)
    with run_eagerly():
        analyzer = create_analyzer(name, model, at="words")
        maps = analyzer.analyze(words)
    assert maps.shape == (2, 6, 4) and np.abs(maps).max() > 0
    if name in BOTH:
        assert closes(explained(name, model, words, at="words")[1])


@pytest.mark.parametrize("name", ["integrated_gradients", *BOTH])
def test_whole_numbers_beside_an_image_are_constants(name):
    image, sex = keras.Input((4,)), keras.Input((1,), dtype="int32", name="sex")
    known = layers.Flatten()(layers.Embedding(3, 4)(sex))
    x = layers.Dense(5, activation="tanh")(layers.Concatenate()([image, known]))
    model = randomised(keras.Model([image, sex], layers.Dense(2)(x)))
    given = [normal(3, 4), np.int32([[0], [1], [2]])]
    maps, audit = explained(name, model, given, input=0)
    assert maps.shape == (3, 4) and closes(audit, 1e-2 if "grad" in name else 1e-4)
    with pytest.raises(ValueError, match="'sex'"):
        create_analyzer(name, model)


def masked_models():
    ids, x = tokens(mask_zero=True)
    lstm = layers.LSTM(4, return_sequences=True)(x)
    yield (
        "LSTM",
        keras.Model(ids, layers.Dense(2)(layers.GlobalAveragePooling1D()(lstm))),
    )
    attended = layers.MultiHeadAttention(2, 3)(x, x)
    mean = layers.GlobalAveragePooling1D()(attended)
    yield "MultiHeadAttention", keras.Model(ids, layers.Dense(2)(mean))
    both = layers.Attention(use_scale=True)([x, x])
    yield "Attention", keras.Model(ids, layers.Dense(2)(ops.mean(both, axis=1)))


@pytest.mark.parametrize("kind", ["LSTM", "MultiHeadAttention", "Attention"])
def test_masks_are_honoured(kind):
    model = randomised(dict(masked_models())[kind])
    words = np.int32([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 0, 0]])
    for name in BOTH:
        maps, audit = explained(name, model, words, at="words")
        assert closes(audit)
        if kind == "LSTM":
            np.testing.assert_allclose(maps[0, 3:], 0, atol=1e-7)
    with run_eagerly():
        gradient = create_analyzer("gradient", model, at="words").analyze(words)
    assert np.abs(gradient[0, :3]).max() > 0


def test_a_quantised_model_is_refused_but_by_gradients():
    model = one_layer(8, 3)
    x = normal(1, 1, 1, 8)
    model.layers[-1].quantize("int8")
    for name in BOTH:
        with pytest.raises(ValueError, match="quantised.*Expected.*Received: .*int8"):
            create_analyzer(name, model)
    assert np.isfinite(create_analyzer("integrated_gradients", model).analyze(x)).all()


@pytest.mark.parametrize("name", ["gradient", "input_t_gradient", "lrp.z", *BOTH])
def test_a_pair_of_neurons_explains_the_difference_of_two_logits(name):
    model = one_layer(6, 4)
    x = normal(2, 1, 1, 6)
    with run_eagerly():
        index = create_analyzer(name, model, neuron_selection_mode="index")
        one, two, both = (index.analyze(x, n) for n in (2, 0, (2, 0)))
        np.testing.assert_allclose(both, one - two, atol=1e-5)
        if hasattr(index, "audit"):
            audit = index.audit(x, (2, 0))
            assert closes(audit)
            logits = model.predict(x, verbose=0)
            np.testing.assert_allclose(
                audit["logit"], logits[:, 2] - logits[:, 0], 1e-4
            )


@pytest.mark.parametrize("pair", [(1, 1), (0, 4), (0, -1)])
def test_a_pair_of_neurons_that_does_not_exist_is_refused(pair):
    analyzer = create_analyzer("gradient", one_layer(6, 4))
    with pytest.raises(ValueError, match="from 0 to 3"):
        analyzer.analyze(normal(2, 1, 1, 6), pair)


def test_a_model_of_keras_2_is_refused_with_what_to_do():
    tf_keras = pytest.importorskip("tf_keras")
    old = tf_keras.Sequential([tf_keras.Input((8,)), tf_keras.layers.Dense(2)])
    for name in (*BOTH, "gradient"):
        with pytest.raises(ValueError, match=r"Keras 2.*model.h5"):
            create_analyzer(name, old)


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv, self.head = layers.Conv2D(4, 3), layers.Dense(2)

    def call(self, x):
        return self.head(tf.reduce_mean(tf.nn.relu(self.conv(x)), axis=(1, 2)))


@pytest.mark.parametrize(
    "name", ["gradient", "input_t_gradient", "integrated_gradients", "smoothgrad"]
)
def test_the_gradient_family_explains_subclassed_models(name):
    model = Net()
    x = normal(2, 8, 8, 3)
    model(x)
    with run_eagerly():
        maps = create_analyzer(name, model).analyze(x)
    assert maps.shape == x.shape and np.abs(maps).max() > 0
    with pytest.raises(ValueError, match=r"keras.Model\(inputs, model\(inputs\)\)"):
        create_analyzer("lrp.epsilon", model)


def test_integrated_gradients_take_the_midpoint_and_are_audited():
    image = keras.Input((1,))
    model = keras.Model(image, image * image * image)
    one = np.ones((1, 1))
    maps, audit = explained("integrated_gradients", model, one, steps=16)
    middle = np.mean(3 * ((np.arange(16) + 0.5) / 16) ** 2)
    np.testing.assert_allclose(maps, middle, rtol=1e-5)
    np.testing.assert_allclose(audit["error"], 1 - middle, atol=1e-6)
    with pytest.warns(UserWarning, match="does not add up"):
        left, _ = explained("integrated_gradients", model, one, steps=16, rule="left")
    np.testing.assert_allclose(left, np.mean(3 * (np.arange(16) / 16) ** 2), rtol=1e-5)
    with pytest.raises(ValueError, match="rule='right'"):
        create_analyzer("integrated_gradients", model, rule="right")
