"""Self-attention: properties, and refused inputs."""

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


def test_scores_of_a_token_sum_to_one():
    x = tokens()
    scores = np.asarray(randomised(MultiHeadSelfAttention(3), x).scores(x))
    assert scores.shape == (2, 3, 5, 5) and scores.min() >= 0
    np.testing.assert_allclose(scores.sum(-1), 1, rtol=1e-5)


def test_permuting_tokens_permutes_outputs():
    """Without positions, permuting the tokens permutes the outputs."""
    x, order = tokens(), [3, 0, 4, 1, 2]
    layer = randomised(MultiHeadSelfAttention(2), x)
    np.testing.assert_allclose(
        np.asarray(layer(x))[:, order], layer(x[:, order]), rtol=1e-4, atol=1e-5
    )


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="divide dim=12. Received: heads=5"):
        MultiHeadSelfAttention(5)(tokens())
    with pytest.raises(ValueError, match="batch, tokens, dim"):
        MultiHeadSelfAttention(2)(np.zeros((2, 4, 4, 12), np.float32))
