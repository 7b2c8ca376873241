"""Rollout, and the attention of heads and class token: against plain numpy."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from medattn.explain import attention_heads, class_token_maps, create_analyzer
from medattn.explain.spatial import upsampled
from medattn.layers import MultiHeadSelfAttention


def test_heads_are_the_scores_that_the_layers_use(deit):
    model, images, blocks, scores = deit
    heads = attention_heads(model, images)
    assert heads.shape == (3, len(blocks), blocks[0].heads, 65, 65)
    np.testing.assert_allclose(heads, np.stack(scores, 1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(heads.sum(-1), 1, rtol=1e-5)


def test_class_token_maps_are_the_enlarged_row_of_the_class_token(deit):
    model, images, blocks, scores = deit
    maps = class_token_maps(model, images)
    assert maps.shape == (3, len(blocks), blocks[0].heads, 64, 64)
    patches = scores[1][2, 0, 0, 1:].reshape(8, 8)
    np.testing.assert_allclose(
        maps[2, 1, 0], upsampled(patches[None], (64, 64))[0], rtol=1e-4
    )


def test_rollout_is_the_product_of_attention_plus_identity(deit):
    """Written out token by token: the flow from j to i through each layer."""
    model, images, _, scores = deit
    total = np.broadcast_to(np.eye(65), (3, 65, 65))
    for each in scores:
        step = np.zeros((3, 65, 65))
        for i in range(65):
            for j in range(65):
                step[:, i, j] = 0.5 * each[:, :, i, j].mean(-1) + 0.5 * (i == j)
        total = np.einsum("bij,bjk->bik", step, total)
    # Each token's fractions of the patches and the class token sum to one.
    np.testing.assert_allclose(total.sum(-1), 1, rtol=1e-5)
    expected = upsampled(total[:, 0, 1:].reshape(3, 8, 8), (64, 64))
    found = create_analyzer("attention.rollout", model).analyze(images)
    np.testing.assert_allclose(found.sum(-1), expected, rtol=1e-3, atol=1e-6)


def test_start_layer_leaves_out_the_layers_before_it(deit):
    model, images, _, scores = deit
    last = len(scores) - 1
    analyzer = create_analyzer("attention.rollout", model, start_layer=last)
    half = scores[last].mean(1)[:, 0, 1:] / 2
    expected = upsampled(half.reshape(3, 8, 8), (64, 64))
    found = analyzer.analyze(images).sum(-1)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_attention_is_found_in_nested_models_and_in_other_layers(deit):
    model, images, *_ = deit

    class Wrapped(layers.Layer):
        def __init__(self, inner, **kwargs):
            super().__init__(**kwargs)
            self.inner = inner

        def call(self, x):
            return self.inner(x)

    inputs = keras.Input((8, 8, 4))
    x = layers.Reshape((64, 4))(inputs)
    attention = MultiHeadSelfAttention(2)
    x = Wrapped(attention)(x)
    small = keras.Model(inputs, layers.Dense(2)(ops.mean(x, axis=1)))
    assert attention_heads(small, images[:, :8, :8, [0, 1, 2, 0]]).shape[1:3] == (1, 2)
    outer = keras.Input((64, 64, 3))
    nested = keras.Model(outer, model(outer))
    np.testing.assert_allclose(
        attention_heads(nested, images), attention_heads(model, images), rtol=1e-5
    )
    with pytest.raises(ValueError, match="no class token"):
        class_token_maps(small, images[:, :8, :8, [0, 1, 2, 0]])
