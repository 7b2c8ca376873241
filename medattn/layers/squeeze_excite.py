"""Squeeze-and-Excitation: one weight a channel, read from the channel means."""

import keras
from keras import layers, ops

from medattn.layers.attention import AttentionLayer, feature_map_channels


@keras.saving.register_keras_serializable(package="medattn")
class SqueezeExcite(AttentionLayer):
    """Gates each channel by what all channels show on average over the image.

    `scores = sigmoid(W2 relu(W1 mean_hw(x)))`, and `y = x * scores`, with `W1` of
    shape `(channels, channels / ratio)` and `W2` of the transposed shape.

    Args:
        ratio: Channels over hidden units of the small network that sets the gate. The
            hidden units never fall below one.
        use_bias: Whether the two dense maps have biases; the study's have none.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        The same.

    Reference:
        [Hu et al., 2018](https://doi.org/10.1109/CVPR.2018.00745), equations 2 to 4.
    """

    def __init__(self, ratio=16, use_bias=False, **kwargs):
        super().__init__(**kwargs)
        if not ratio >= 1:
            raise ValueError(
                "The reduction ratio divides the number of channels. Expected "
                f"ratio >= 1. Received: ratio={ratio}"
            )
        self.ratio = ratio
        self.use_bias = use_bias

    def build(self, input_shape):
        channels = feature_map_channels(self, input_shape)
        hidden = max(1, int(channels // self.ratio))
        shared = dict(use_bias=self.use_bias, dtype=self.dtype_policy)
        self.reduce = layers.Dense(hidden, name="reduce", **shared)
        self.expand = layers.Dense(channels, name="expand", **shared)
        self.reduce.build((None, 1, 1, channels))
        self.expand.build((None, 1, 1, hidden))

    def scores(self, inputs):
        """Computes one weight a channel.

        Args:
            inputs: Feature maps, `(batch, height, width, channels)`.

        Returns:
            Weights in [0, 1], `(batch, 1, 1, channels)`.
        """
        squeezed = ops.mean(inputs, axis=(1, 2), keepdims=True)
        return ops.sigmoid(self.expand(ops.relu(self.reduce(squeezed))))
