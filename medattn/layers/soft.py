"""Soft attention: a word of a caption sees the expected place of the image."""

import keras
from keras import layers

from medattn.layers.bahdanau import BahdanauAttention
from medattn.layers.sequence import sequence_channels


@keras.saving.register_keras_serializable(package="medattn")
class SoftAttention(BahdanauAttention):
    """Answers each state of a caption's writer with the expected annotation vector.

    `scores = softmax(v tanh(W h + U a + b))`, the chances of the places, and
    `y = E[a] = sum_i scores_i a_i`; with `gate`, `y = beta sum_i scores_i a_i` and
    `beta = sigmoid(w h + b)`: how much this word needs the image at all.

    Args:
        units: Hidden units; None takes as many as the query has channels.
        use_bias: Whether the hidden units have biases.
        gate: Whether `beta` is used.

    Input shape:
        `[(batch, queries, channels), (batch, places, dim)]`: states and annotation
        vectors, which are feature maps with rows and columns in one list.

    Output shape:
        `(batch, queries, dim)`

    Reference:
        [Xu et al., 2015](https://arxiv.org/abs/1502.03044), equations 4, 5 and 13, and
        section 4.2.1 for `beta`.
    """

    def __init__(self, units=None, use_bias=True, gate=False, **kwargs):
        super().__init__(units, use_bias, **kwargs)
        self.gate = gate

    def build(self, input_shape):
        super().build(input_shape)
        if self.gate:
            channels, _ = sequence_channels(self, input_shape)
            self.beta = layers.Dense(
                1, activation="sigmoid", dtype=self.dtype_policy, name="beta"
            )
            self.beta.build((None, None, channels))

    def mix(self, inputs, scores):
        """Takes the expectation over the places, and gates it."""
        expected = super().mix(inputs, scores)
        return expected * self.beta(inputs[0]) if self.gate else expected
