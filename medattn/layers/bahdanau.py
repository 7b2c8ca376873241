"""Bahdanau's additive attention: a small network scores how well a value fits."""

from typing import Any

import keras
from keras import layers

from medattn.layers.sequence import SequenceAttention, additive_fit, sequence_channels
from medattn.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="medattn")
class BahdanauAttention(SequenceAttention):
    """Weighs values by a network with one hidden layer on query and value.

    `fit(s, h) = v tanh(W s + U h)`, `scores = softmax(fit)`, and
    `y_t = sum_s scores_ts h_s`.

    Keras's own `AdditiveAttention` has `v` alone, without `W` and `U`.

    Args:
        units: Hidden units of the network; None takes as many as the query has
            channels.
        use_bias: Whether the hidden units have biases; the paper's have none.

    Input shape:
        `[(batch, queries, channels), (batch, values, dim)]`

    Output shape:
        `(batch, queries, dim)`

    Reference:
        [Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473), equations 5 and 6,
        and appendix A.1.2 for the fit.
    """

    def __init__(
        self, units: int | None = None, use_bias: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.use_bias = use_bias

    def build(self, input_shape: list[Shape]) -> None:
        channels, dim = sequence_channels(self, input_shape)
        units = self.units or channels

        def dense(units: int, name: str, use_bias: bool = False) -> keras.layers.Layer:
            return layers.Dense(
                units, use_bias=use_bias, dtype=self.dtype_policy, name=name
            )

        self.query = dense(units, "query")
        self.key = dense(units, "key", self.use_bias)
        self.vector = dense(1, "vector")  # a bias would cancel in the softmax
        self.query.build((None, None, channels))
        self.key.build((None, None, dim))
        self.vector.build((None, None, None, units))

    def fit(self, query: Tensor, values: Tensor) -> Tensor:
        """Computes how well values fit queries, `(batch, queries, values)`."""
        return additive_fit(self.query(query), self.key(values), self.vector)
