"""Attention between tokens is read from whichever layer computes it."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from networks import randomised

from medattn.explain import attention_heads, create_analyzer, run_eagerly
from medattn.layers import MultiHeadSelfAttention

BOTH = ("attention.rollout", "attention.transformer")
SIDE, PATCH, DIM, HEADS = 8, 2, 6, 2
TOKENS = (SIDE // PATCH) ** 2


class ClassToken(layers.Layer):
    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[-1]), name="token")

    def call(self, x):
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([token, x], axis=1)


def vision_transformer(*attentions):
    """Patches, a class token, and one block for each function of tokens."""
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(DIM, PATCH, PATCH)(image)
    x = ClassToken()(layers.Reshape((TOKENS, DIM))(x))
    for attention in attentions:
        x = x + attention(layers.LayerNormalization()(x))
        x = x + layers.Dense(DIM, activation="gelu")(layers.LayerNormalization()(x))
    return randomised(keras.Model(image, layers.Dense(3)(x[:, 0])))


def images(count=2):
    return np.random.default_rng(0).random((count, SIDE, SIDE, 3)).astype(np.float32)


def by_hand(x):
    """Heads by reshaping, scores by matmul and a written softmax's operation."""
    tokens = x.shape[1]

    def heads(y):
        y = ops.reshape(y, (-1, tokens, HEADS, DIM // HEADS))
        return ops.transpose(y, (0, 2, 1, 3))

    q, k, v = (heads(layers.Dense(DIM)(x)) for _ in range(3))
    scores = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) / 2, axis=-1)
    mixed = ops.transpose(ops.matmul(scores, v), (0, 2, 1, 3))
    return ops.reshape(mixed, (-1, tokens, DIM))


LAYERS = {
    "MultiHeadAttention": lambda x: layers.MultiHeadAttention(HEADS, 3)(x, x),
    "with dropout": lambda x: layers.MultiHeadAttention(HEADS, 3, dropout=0.1)(x, x),
    "GroupQueryAttention": lambda x: layers.GroupQueryAttention(3, HEADS, 1)(x, x),
    "Attention": lambda x: layers.Attention()([x, x]),
    "by hand": by_hand,
}


@pytest.mark.parametrize("name", LAYERS)
def test_scores_of_every_form_of_attention_are_read(name):
    model = vision_transformer(LAYERS[name])
    with run_eagerly():
        heads = attention_heads(model, images())
        maps = [create_analyzer(each, model).analyze(images()) for each in BOTH]
    count = 1 if name == "Attention" else HEADS
    assert heads.shape == (2, 1, count, TOKENS + 1, TOKENS + 1)
    np.testing.assert_allclose(heads.sum(-1), 1, rtol=1e-5)
    for each in maps:
        assert each.shape == images().shape and each.max() > 0
    found = [x for x in model.layers if isinstance(x, layers.MultiHeadAttention)]
    if found:
        x = keras.Model(model.inputs[0], found[0].input)(images())
        x = x[0] if isinstance(x, list | tuple) else x
        expected = found[0](x, x, return_attention_scores=True)[1]
        np.testing.assert_allclose(heads[:, 0], expected, rtol=1e-4, atol=1e-6)


def test_the_layer_of_keras_has_the_maps_of_ours_with_the_same_weights():
    ours = vision_transformer(*(MultiHeadSelfAttention(HEADS) for _ in range(2)))
    theirs = vision_transformer(*[LAYERS["MultiHeadAttention"]] * 2)
    for one, other in zip(ours.layers, theirs.layers, strict=True):
        weights = zip(other.get_weights(), one.get_weights(), strict=True)
        other.set_weights([w.reshape(like.shape) for like, w in weights])
    x = images(3)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    with run_eagerly():
        for name in BOTH:
            expected = create_analyzer(name, ours).analyze(x)
            found = create_analyzer(name, theirs).analyze(x)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(found, expected, atol=1e-4 * scale)


class Windows(layers.Layer):
    def call(self, x):
        batch, tokens, dim = ops.shape(x)
        token, rest = x[:, :1], x[:, 1:]
        y = ops.reshape(rest, (batch * (tokens // 4), 4, dim))
        scores = ops.softmax(ops.matmul(y, ops.transpose(y, (0, 2, 1))), axis=-1)
        y = ops.reshape(ops.matmul(scores, y), (batch, tokens - 1, dim))
        return ops.concatenate([token, y], axis=1)


def reduced(x):
    """Keys and values of every other token."""
    return layers.MultiHeadAttention(HEADS, 3)(x, x[:, ::2])


@pytest.mark.parametrize("attention", [Windows(), reduced])
def test_attention_to_some_tokens_only_is_refused(attention):
    model = vision_transformer(LAYERS["MultiHeadAttention"], attention)
    for name in BOTH:
        with pytest.raises(ValueError, match="no positions.*no windows.*Received"):
            create_analyzer(name, model)


def test_a_softmax_that_weighs_no_tokens_is_no_attention():
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Softmax()(layers.Conv2D(SIDE, 3, padding="same")(image))
    model = keras.Model(image, layers.Dense(2)(ops.mean(x, axis=(1, 2))))
    with pytest.raises(ValueError, match="no such attention.*none at all"):
        create_analyzer("attention.rollout", model)
