"""The form that all attention layers share: scores, then mix."""

import keras
from keras import layers, ops


class AttentionLayer(keras.layers.Layer):
    """Weighs its input by scores that it computes from that same input.

    `y = mix(x, scores(x))`

    A subclass says how the scores arise. The two steps are public, so that lessons
    and the app can draw the very scores that `call` uses.

    Call arguments:
        inputs: Feature maps, `(batch, height, width, channels)`.

    Returns:
        Feature maps of the same shape.

    Raises:
        ValueError: If Keras is set to `channels_first`, or the input is not a batch
            of feature maps.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        if keras.config.image_data_format() != "channels_last":
            raise ValueError(
                f"{type(self).__name__} works on feature maps with the channels last. "
                "Expected keras.config.image_data_format() == 'channels_last'. "
                f"Received: {keras.config.image_data_format()!r}"
            )

    def scores(self, inputs):
        """Computes the attention weights, in a shape that broadcasts to the input."""
        raise TypeError(
            f"{type(self).__name__} says nothing about its scores. Expected a subclass "
            f"of AttentionLayer that defines `scores(inputs)`. Received: {self!r}"
        )

    def mix(self, inputs, scores):
        """Applies the scores to the input; a gate multiplies."""
        return inputs * scores

    def call(self, inputs):
        return self.mix(inputs, self.scores(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape


class Gate(AttentionLayer):
    """An attention layer whose scores multiply its input.

    Args:
        start: `"paper"`, the papers' own: `scores = sigmoid(z)`, about one half at the
            first step. `"identity"`: `scores = 2 sigmoid(z)` with z zero at the first
            step, so that every score is 1 and a network computes exactly what it did
            before the gate was put in; the scores then range over [0, 2].
    """

    STARTS = ("paper", "identity")

    def __init__(self, start="paper", **kwargs):
        super().__init__(**kwargs)
        if start not in self.STARTS:
            raise ValueError(
                f"Unknown start of a gate. Expected one of {self.STARTS}. "
                f"Received: start={start!r}"
            )
        self.start = start

    def squash(self, z):
        """Turns the gate's raw output into scores."""
        return ops.sigmoid(z) if self.start == "paper" else 2 * ops.sigmoid(z)

    def last_initializer(self):
        """Initialises the last map before `squash`, so that the start is kept."""
        return "glorot_uniform" if self.start == "paper" else "zeros"

    def build_mlp(self, channels, ratio, use_bias, *, least=1, normed=False):
        """Adds `reduce` and `expand`, with `channels / ratio` units between them."""
        hidden = max(least, int(channels // ratio))
        self.reduce = layers.Dense(
            hidden, use_bias=use_bias, dtype=self.dtype_policy, name="reduce"
        )
        self.expand = layers.Dense(
            channels,
            use_bias=use_bias and not normed,  # a batch norm behind cancels a bias
            kernel_initializer="glorot_uniform" if normed else self.last_initializer(),
            dtype=self.dtype_policy,
            name="expand",
        )
        self.reduce.build((None, 1, 1, channels))
        self.expand.build((None, 1, 1, hidden))


def checked_ratio(ratio):
    """Returns a reduction ratio, or says what is wrong with it."""
    if not ratio >= 1:
        raise ValueError(
            "The reduction ratio divides the number of channels. Expected "
            f"ratio >= 1. Received: ratio={ratio}"
        )
    return ratio


def feature_map_channels(layer, input_shape):
    """Returns the number of channels, or says what the layer would have needed."""
    if len(input_shape) != 4 or input_shape[-1] is None:
        raise ValueError(
            f"{type(layer).__name__} takes feature maps with a known number of "
            "channels. Expected input_shape=(batch, height, width, channels). "
            f"Received: input_shape={tuple(input_shape)}"
        )
    return input_shape[-1]
