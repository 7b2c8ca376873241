"""Soft attention: a word of a caption receives an average over the image."""

from typing import Any

import keras
from keras import layers

from medattn.layers.bahdanau import BahdanauAttention
from medattn.layers.sequence import sequence_channels
from medattn.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="medattn")
class SoftAttention(BahdanauAttention):
    """Answers each state of a caption decoder with the expected annotation vector.

    `scores = softmax(v tanh(W h + U a + b))`, probabilities of the positions, and
    `y = E[a] = sum_i scores_i a_i`; with `gate`, `y = beta sum_i scores_i a_i` and
    `beta = sigmoid(w h + b)`: how much this word depends on the image.

    Args:
        units: Hidden units; None takes as many as the query has channels.
        use_bias: Whether the hidden units have biases.
        gate: Whether `beta` is used.

    Input shape:
        `[(batch, queries, channels), (batch, positions, dim)]`: states and annotation
        vectors, which are feature maps with rows and columns flattened.

    Output shape:
        `(batch, queries, dim)`

    Reference:
        [Xu et al., 2015](https://arxiv.org/abs/1502.03044), equations 4, 5 and 13, and
        section 4.2.1 for `beta`.
    """

    def __init__(
        self,
        units: int | None = None,
        use_bias: bool = True,
        gate: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, use_bias, **kwargs)
        self.gate = gate

    def build(self, input_shape: list[Shape]) -> None:
        super().build(input_shape)
        if self.gate:
            channels, _ = sequence_channels(self, input_shape)
            self.beta = layers.Dense(
                1, activation="sigmoid", dtype=self.dtype_policy, name="beta"
            )
            self.beta.build((None, None, channels))

    def mix(self, inputs: list[Tensor], scores: Tensor) -> Tensor:
        """Computes the expectation over the positions, and gates it."""
        expected = super().mix(inputs, scores)
        return expected * self.beta(inputs[0]) if self.gate else expected
