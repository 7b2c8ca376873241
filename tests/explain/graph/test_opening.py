"""Opening a model: nothing is written to it, and what its layers do is found."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from networks import randomised

from medattn.explain import create_analyzer, run_eagerly
from medattn.explain.graph.operations import ATOMIC
from medattn.explain.graph.registry import stays_closed
from medattn.explain.graph.trace import open_model
from medattn.layers import CBAM
from medattn.layers.keras_private import all_layers, count_calls

RULES = (
    "lrp.epsilon",
    "lrp.gamma",
    "lrp.alpha_1_beta_0",
    "lrp.alpha_2_beta_1",
    "lrp.flat",
    "lrp.w_square",
    "deep_lift.rescale",
    "deep_lift.reveal_cancel",
)


def closed(layer):
    return stays_closed(layer, ATOMIC)


def maps_of(name, model, x, **options):
    with run_eagerly():
        return create_analyzer(name, model, **options).analyze(x)


def same_maps(one, two, x, rules=RULES):
    """Holds that two networks have the same maps, and that they are not zero."""
    for name in rules:
        expected = maps_of(name, two, x)
        assert np.abs(expected).max() > 0
        scale = np.abs(expected).max()
        found = maps_of(name, one, x)
        np.testing.assert_allclose(found, expected, atol=2e-5 * scale, err_msg=name)


def audited(model, x, *names):
    """Holds that maps add up to what the model itself computes."""
    with run_eagerly():
        for name in names or ("lrp.epsilon", "deep_lift.rescale"):
            audit = create_analyzer(name, model).audit(x)
            error = np.abs(audit["error"]) / (1 + np.abs(audit["logit"]))
            assert (error < 1e-4).all(), (name, audit)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def pooled(image, x, classes=2):
    axes = tuple(range(1, len(x.shape) - 1))
    return keras.Model(image, layers.Dense(classes)(ops.mean(x, axis=axes)))


def state_of(model):
    """What is written in every layer, and how often each was called."""
    return [
        (set(vars(layer)), count_calls(layer), len(layer.losses), layer.built)
        for layer in all_layers(model)
    ]


class Remembers(layers.Layer):
    """Writes to itself in every call."""

    def __init__(self):
        super().__init__()
        self.dense, self.seen = layers.Dense(3), []

    def call(self, x):
        self.last = x
        self.seen.append(x)
        self.add_loss(ops.sum(x))
        return self.dense(x)


def test_opening_writes_nothing_to_the_layers():
    image = keras.Input((6, 6, 4))
    x = CBAM(ratio=2)(layers.Conv2D(4, 3, padding="same")(image))
    model = pooled(image, Remembers()(x))
    before = state_of(model)
    seen = [len(r.seen) for r in all_layers(model) if isinstance(r, Remembers)]
    for _ in range(2):
        open_model(model, closed)
    assert state_of(model) == before
    after = [len(r.seen) for r in all_layers(model) if isinstance(r, Remembers)]
    assert after == seen


def test_many_threads_open_one_model_that_another_one_builds_with():
    gates = [CBAM(ratio=2) for _ in range(3)]

    def build():
        image = keras.Input((8, 8, 4))
        x = image
        for gate in gates:
            x = gate(x)
        return pooled(image, x)

    model, faults = build(), []
    steps = len(open_model(model, closed).steps)

    def work():
        try:
            for _ in range(4):
                assert len(open_model(model, closed).steps) == steps
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    built = [build() for _ in range(5)]
    for thread in threads:
        thread.join()
    assert faults == []
    for each in built:
        assert len(open_model(each, closed).steps) == steps


class Sub(layers.Dense):
    def __init__(self, units, **options):
        super().__init__(units, **options)

    def get_config(self):
        return super().get_config()


class Doubled(layers.Dense):
    def call(self, x):
        return 2 * super().call(x)


def dense_net(kind, seed=0):
    image = keras.Input((1, 1, 6))
    x = layers.ReLU()(kind(5)(layers.Flatten()(image)))
    return randomised(keras.Model(image, kind(2)(x)), seed)


def test_a_subclass_that_computes_the_same_is_its_base():
    same_maps(dense_net(Sub), dense_net(layers.Dense), normal(2, 1, 1, 6))


def test_a_subclass_that_overrides_call_is_opened():
    image = keras.Input((4,))
    model = randomised(keras.Model(image, Doubled(3)(image)))
    kernel, bias = model.get_weights()
    x = normal(2, 4)
    y = 2 * (x @ kernel + bias)
    top = y.argmax(-1)
    shares = 2 * x * kernel[:, top].T * (y / y)[[0, 1], top][:, None]
    np.testing.assert_allclose(maps_of("lrp.z", model, x), shares, rtol=1e-3)


class Written(layers.Layer):
    """A dense layer as a student writes it."""

    def __init__(self, units, order="x w"):
        super().__init__()
        self.units, self.order = units, order

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units), name="kernel")
        self.b = self.add_weight(shape=(self.units,), name="bias")

    def call(self, x):
        if self.order == "x w":
            return self.b + ops.matmul(x, self.w)
        if self.order == "einsum":
            return ops.einsum("...i,io->...o", x, self.w) + self.b
        return (
            ops.transpose(ops.matmul(ops.transpose(self.w), ops.transpose(x))) + self.b
        )


@pytest.mark.parametrize("order", ["x w", "einsum"])
def test_a_product_with_a_weight_is_a_linear_layer(order):
    written = dense_net(lambda units: Written(units, order))
    same_maps(written, dense_net(layers.Dense), normal(2, 1, 1, 6))


def test_a_weight_may_stand_on_the_left():
    written = dense_net(lambda units: Written(units, "w x"))
    dense = dense_net(layers.Dense)
    same_maps(written, dense, normal(2, 1, 1, 6), ["lrp.epsilon", "deep_lift.rescale"])


class WrittenConv(layers.Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(3, 3, shape[-1], 4), name="kernel")
        self.b = self.add_weight(shape=(4,), name="bias")

    def call(self, x):
        return ops.conv(x, self.w, padding="same") + self.b


@pytest.mark.parametrize("norm", [False, True])
def test_a_convolution_by_an_operation_is_a_convolution(norm):
    made = []
    for conv in (WrittenConv(), layers.Conv2D(4, 3, padding="same")):
        image = keras.Input((6, 6, 3))
        x = conv(image)
        x = layers.BatchNormalization()(x) if norm else x
        made.append(randomised(pooled(image, layers.ReLU()(x))))
    rules = ("lrp.epsilon", "lrp.alpha_1_beta_0", "lrp.w_square", "deep_lift.rescale")
    same_maps(*made, normal(2, 6, 6, 3), rules)


class ClassToken(layers.Layer):
    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[-1]))

    def call(self, x):
        token = ops.tile(self.token, (ops.shape(x)[0], 1, 1))
        return ops.concatenate([token, x], axis=1)


class Windows(layers.Layer):
    """Cuts tokens into windows with the size of the batch, as Swin does."""

    def call(self, x):
        batch, tokens, size = ops.shape(x)
        x = ops.reshape(x, (batch * (tokens // 2), 2, size))
        x = x - ops.mean(x, axis=1, keepdims=True)
        return ops.reshape(x, (batch, tokens, size))


class Scale(layers.Layer):
    def build(self, shape):
        self.g = self.add_weight(shape=(shape[-1],), name="gamma")

    def call(self, x):
        return self.g * x + self.g


@pytest.mark.parametrize(
    "layer",
    [
        ClassToken,
        Windows,
        Scale,
        lambda: layers.LSTM(4, return_sequences=True),
        lambda: layers.GRU(4, go_backwards=True, return_sequences=True),
        lambda: layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True)),
        lambda: layers.TimeDistributed(layers.Dense(3, activation="relu")),
        lambda: layers.Lambda(tf.nn.relu),
        lambda: layers.Conv1D(4, 3, activation="tanh"),
    ],
)
def test_a_layer_that_reads_the_batch_size_is_explained_in_any_batch(layer):
    image = keras.Input((6, 4))
    model = randomised(pooled(image, layer()(image)))
    x = normal(3, 6, 4)
    audited(model, x)
    for name in ("lrp.epsilon", "deep_lift.rescale"):
        analyzer = create_analyzer(name, model)
        with run_eagerly():
            alone = np.concatenate([analyzer.analyze(each[None]) for each in x])
            np.testing.assert_allclose(analyzer.analyze(x), alone, atol=1e-5)


def test_images_of_any_size_are_explained_in_their_own_size():
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, activation="relu")(image)
    model = randomised(pooled(image, layers.MaxPooling2D()(x)))
    with run_eagerly():
        for name in ("lrp.epsilon", "lrp.flat", "deep_lift.rescale"):
            analyzer = create_analyzer(name, model)
            for side in (8, 13):
                audit = analyzer.audit(normal(2, side, side, 3))
                np.testing.assert_allclose(audit["error"], 0, atol=1e-5)


def test_a_layer_that_cannot_be_opened_is_named_with_its_reason():
    class Sorted(layers.Layer):
        def call(self, x):
            return tf.sort(x, axis=-1)

    image = keras.Input((4,))
    model = keras.Model(image, layers.Dense(2)(Sorted(name="mine")(image)))
    message = r"'mine' \(Sorted\).*could not be opened.*register_rule"
    with pytest.raises(ValueError, match=message):
        create_analyzer("lrp.epsilon", model)
    assert create_analyzer("gradient", model).analyze(normal(2, 4)).shape == (2, 4)


def test_a_message_names_the_layer_that_the_user_wrote():
    class Block(layers.Layer):
        def call(self, x):
            return ops.sort(x, axis=-1)

    image = keras.Input((4,))
    model = keras.Model(image, layers.Dense(2)(Block(name="mine")(image)))
    with pytest.raises(ValueError, match=r"\(Sort\) of the layer 'mine'"):
        create_analyzer("lrp.epsilon", model)


class Encoder(layers.Layer):
    """A block whose parts have names like those that TensorFlow gives itself."""

    def __init__(self):
        super().__init__()
        self._self_attention_layer = layers.Dense(4)
        self._self_scale = 2.0

    def build(self, shape):
        self._self_attention_layer.build(shape)

    def call(self, x):
        return self._self_scale * self._self_attention_layer(x)


def test_an_attribute_may_have_a_name_like_those_of_tensorflow():
    image = keras.Input((6, 4))
    audited(randomised(pooled(image, Encoder()(image))), normal(2, 6, 4))


class Biased(layers.Layer):
    """Attention of two heads with a bias of the heads, as Swin's of positions."""

    def build(self, shape):
        self.bias = self.add_weight(shape=(9, 2), name="bias")
        self.index = np.arange(36).reshape(6, 6) % 9

    def call(self, x):
        heads = ops.transpose(ops.reshape(x, (-1, 6, 2, 2)), (0, 2, 1, 3))
        bias = ops.transpose(ops.take(self.bias, self.index, axis=0), (2, 0, 1))
        scores = ops.matmul(heads, ops.transpose(heads, (0, 1, 3, 2))) + bias
        y = ops.matmul(ops.softmax(scores, axis=-1), heads)
        return ops.reshape(ops.transpose(y, (0, 2, 1, 3)), (-1, 6, 4))


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_constant_of_fewer_axes_is_added_in_any_batch(batch):
    image = keras.Input((6, 4))
    model = randomised(pooled(image, Biased()(layers.Dense(4)(image))))
    audited(model, normal(batch, 6, 4))


def test_tokens_of_any_length_with_a_mask_of_their_own_are_explained():
    ids = keras.Input((None,), dtype="int32", name="ids")
    padding = keras.Input((None,), dtype="int32", name="padding")
    x = layers.Embedding(20, 4, name="words")(ids)
    mask = ops.cast(padding[:, None, :], "bool")
    x = x + layers.MultiHeadAttention(2, 3)(x, x, attention_mask=mask)
    model = randomised(keras.Model([ids, padding], layers.Dense(2)(x[:, 0])))
    words = np.arange(10, dtype=np.int32).reshape(2, 5)
    seen = np.int32([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])
    with run_eagerly():
        for name in ("lrp.epsilon", "deep_lift.rescale"):
            analyzer = create_analyzer(name, model, at="words")
            maps, audit, _ = analyzer.analyze_and_audit([words, seen])
            assert maps.shape == (2, 5, 4)
            np.testing.assert_allclose(maps[0, 3:], 0, atol=1e-6)
            np.testing.assert_allclose(audit["error"], 0, atol=1e-5)
            assert analyzer.analyze([words[:, :3], seen[:, :3]]).shape == (2, 3, 4)
