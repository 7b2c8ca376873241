"""Self-attention against plain numpy, head by head."""

import keras
import numpy as np
import pytest

from medattn.layers import MultiHeadSelfAttention


def tokens(seed=0, shape=(2, 5, 12)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def randomised(layer, x):
    layer.build(x.shape)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return layer


def by_hand(layer, x):
    """Equation 1 for each head on its slice of the channels, then one linear map."""
    q, k, v = (
        x @ part.kernel.numpy() + part.bias.numpy()
        for part in (layer.query, layer.key, layer.value)
    )
    size = x.shape[-1] // layer.heads
    scores, mixed = [], []
    for head in range(layer.heads):
        own = slice(head * size, (head + 1) * size)
        fit = q[..., own] @ k[..., own].swapaxes(1, 2) / np.sqrt(size)
        weight = np.exp(fit) / np.exp(fit).sum(-1, keepdims=True)
        scores.append(weight)
        mixed.append(weight @ v[..., own])
    outputs = np.concatenate(mixed, -1) @ layer.join.kernel.numpy()
    return np.stack(scores, 1), outputs + layer.join.bias.numpy()


@pytest.mark.parametrize("heads", [1, 3, 4])
def test_it_equals_the_paper_head_by_head(heads):
    x = tokens()
    layer = randomised(MultiHeadSelfAttention(heads), x)
    scores, outputs = by_hand(layer, x)
    np.testing.assert_allclose(layer.scores(x), scores, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer(x), outputs, rtol=1e-4, atol=1e-5)


def test_scores_of_a_token_sum_to_one():
    x = tokens()
    scores = np.asarray(randomised(MultiHeadSelfAttention(3), x).scores(x))
    assert scores.shape == (2, 3, 5, 5) and scores.min() >= 0
    np.testing.assert_allclose(scores.sum(-1), 1, rtol=1e-5)


def test_tokens_may_change_places():
    """Without positions, permuting the tokens permutes the outputs."""
    x, order = tokens(), [3, 0, 4, 1, 2]
    layer = randomised(MultiHeadSelfAttention(2), x)
    np.testing.assert_allclose(
        np.asarray(layer(x))[:, order], layer(x[:, order]), rtol=1e-4, atol=1e-5
    )


def test_config_shape_and_disk(tmp_path):
    x = tokens()
    layer = MultiHeadSelfAttention(3, use_bias=False)
    again = MultiHeadSelfAttention.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    inputs = keras.Input((None, 12))
    outputs = layer(inputs)
    assert outputs.shape == (None, None, 12)
    model = keras.Model(inputs, outputs)
    assert model(x[:, :3]).shape == (2, 3, 12)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded(x), model(x), rtol=1e-6)
    half = MultiHeadSelfAttention(3, dtype="mixed_float16")
    assert keras.backend.standardize_dtype(half(x).dtype) == "float16"


@pytest.mark.parametrize("jit_compile", [False, True])
def test_one_training_step_moves_every_weight(jit_compile):
    keras.utils.set_random_seed(0)
    layer = MultiHeadSelfAttention(3, use_bias=False)
    model = keras.Sequential([keras.Input((5, 12)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=jit_compile)
    before = [weight.numpy().copy() for weight in layer.trainable_weights]
    model.fit(tokens(), tokens(5), verbose=0)
    for old, new in zip(before, layer.trainable_weights, strict=True):
        assert not np.array_equal(old, new.numpy()), new.path


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="divide dim=12. Received: heads=5"):
        MultiHeadSelfAttention(5)(tokens())
    with pytest.raises(ValueError, match="batch, tokens, dim"):
        MultiHeadSelfAttention(2)(np.zeros((2, 4, 4, 12), np.float32))
