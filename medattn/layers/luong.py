"""Luong's global attention: how well a value fits is a product with the query."""

from typing import Any, Literal, TypeAlias

import keras
from keras import layers, ops

from medattn.layers.sequence import SequenceAttention, additive_fit, sequence_channels
from medattn.layers.tensor import Shape, Tensor

Score: TypeAlias = Literal["dot", "general", "concat"]


@keras.saving.register_keras_serializable(package="medattn")
class LuongAttention(SequenceAttention):
    """Weighs all values by how well they fit the query, in one of three ways.

    `"dot"`: `fit(q, h) = q . h`; `"general"`: `q . W h`; `"concat"`:
    `v tanh(W [q; h])`, which is Bahdanau's fit. `scores = softmax(fit)`,
    and `y_t = sum_s scores_ts h_s`, the context; the paper's next step, `tanh(W_c [y;
    q])`, is a `Dense` of the decoder.

    Args:
        score: `"dot"`, `"general"` or `"concat"`. `"dot"` has no weights, and needs
            queries and values with equally many channels.

    Input shape:
        `[(batch, queries, channels), (batch, values, dim)]`

    Output shape:
        `(batch, queries, dim)`

    Reference:
        [Luong et al., 2015](https://doi.org/10.18653/v1/D15-1166), section 3.1 with
        equation 7 and the three scores behind it.
    """

    SCORES = ("dot", "general", "concat")

    def __init__(self, score: Score = "general", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if score not in self.SCORES:
            raise ValueError(
                f"Unknown way to score. Expected one of {self.SCORES}. "
                f"Received: score={score!r}"
            )
        self.score = score

    def build(self, input_shape: list[Shape]) -> None:
        channels, dim = sequence_channels(self, input_shape)
        if self.score == "dot" and channels != dim:
            raise ValueError(
                "A dot product needs vectors of the same length. Expected queries and "
                "values with equally many channels, or score='general'. "
                f"Received: {channels} and {dim} channels"
            )
        shared = dict(use_bias=False, dtype=self.dtype_policy)
        if self.score != "dot":
            self.key = layers.Dense(channels, name="key", **shared)
            self.key.build((None, None, dim))
        if self.score == "concat":  # W [q; h] = W_query q + W_key h
            self.query = layers.Dense(channels, name="query", **shared)
            self.query.build((None, None, channels))
            self.vector = layers.Dense(1, name="vector", **shared)
            self.vector.build((None, None, None, channels))

    def fit(self, query: Tensor, values: Tensor) -> Tensor:
        """Computes how well values fit queries, `(batch, queries, values)`."""
        keys = values if self.score == "dot" else self.key(values)
        if self.score == "concat":
            return additive_fit(self.query(query), keys, self.vector)
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))
