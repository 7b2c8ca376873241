"""The form that all attention layers share: scores, then mix."""

import keras


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


def feature_map_channels(layer, input_shape):
    """Returns the number of channels, or says what the layer would have needed."""
    if len(input_shape) != 4 or input_shape[-1] is None:
        raise ValueError(
            f"{type(layer).__name__} takes feature maps with a known number of "
            "channels. Expected input_shape=(batch, height, width, channels). "
            f"Received: input_shape={tuple(input_shape)}"
        )
    return input_shape[-1]
