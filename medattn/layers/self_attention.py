"""Multi-head self-attention: every token weighs every token."""

from typing import Any

import keras
from keras import layers, ops

from medattn.layers.attention import AttentionLayer
from medattn.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="medattn")
class MultiHeadSelfAttention(AttentionLayer):
    """Mixes tokens by how well queries fit keys, in several heads.

    `scores = softmax(Q K^T / sqrt(dim / heads))` per head, and
    `y = W concat_heads(scores V) + b`, with `Q`, `K`, `V` linear in the tokens.

    Args:
        heads: Number of heads; divides the channels of the tokens.
        use_bias: Whether queries, keys and values have biases.

    Input shape:
        `(batch, tokens, dim)`

    Output shape:
        The same.

    Reference:
        [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), equation 1 and
        section 3.2.2.
    """

    def __init__(self, heads: int = 8, use_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = heads
        self.use_bias = use_bias

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(
                "MultiHeadSelfAttention takes tokens with a known number of channels. "
                "Expected input_shape=(batch, tokens, dim). "
                f"Received: input_shape={tuple(input_shape)}"
            )
        dim = input_shape[-1]
        if self.heads < 1 or dim % self.heads:
            raise ValueError(
                "The channels of a token are split evenly among heads. Expected "
                f"heads that divide dim={dim}. Received: heads={self.heads}"
            )
        shared = dict(use_bias=self.use_bias, dtype=self.dtype_policy)
        self.query = layers.Dense(dim, name="query", **shared)
        self.key = layers.Dense(dim, name="key", **shared)
        self.value = layers.Dense(dim, name="value", **shared)
        self.join = layers.Dense(dim, dtype=self.dtype_policy, name="join")
        for layer in (self.query, self.key, self.value, self.join):
            layer.build(input_shape)

    def scores(self, inputs: Tensor) -> Tensor:
        """Computes how much each token takes from each token, per head.

        Args:
            inputs: Tokens, `(batch, tokens, dim)`.

        Returns:
            Weights in [0, 1], `(batch, heads, tokens, tokens)`; each row sums to one.
        """
        query, key = self._split(self.query(inputs)), self._split(self.key(inputs))
        scale = float(inputs.shape[-1] // self.heads) ** -0.5
        fit = ops.matmul(query * scale, ops.transpose(key, (0, 1, 3, 2)))
        return ops.softmax(fit, axis=-1)

    def mix(self, inputs: Tensor, scores: Tensor) -> Tensor:
        """Sums values by the scores, concatenates the heads, and maps them linearly."""
        mixed = ops.matmul(scores, self._split(self.value(inputs)))
        # One per head, (batch, tokens, dim / heads).
        heads = ops.unstack(mixed, self.heads, axis=1)
        return self.join(ops.concatenate(heads, axis=-1))

    def _split(self, x: Tensor) -> Tensor:
        """Splits channels among heads, `(batch, heads, tokens, dim / heads)`."""
        return ops.stack(ops.split(x, self.heads, axis=-1), axis=1)
