"""Squeeze-and-Excitation: one weight a channel, read from the channel means."""

import keras
from keras import ops

from medattn.layers.attention import Gate, checked_ratio, feature_map_channels


@keras.saving.register_keras_serializable(package="medattn")
class SqueezeExcite(Gate):
    """Gates each channel by what all channels show on average over the image.

    `scores = sigmoid(W2 relu(W1 mean_hw(x)))`, and `y = x * scores`, with `W1` of
    shape `(channels, channels / ratio)` and `W2` of the transposed shape.

    Args:
        ratio: Channels over hidden units of the small network that sets the gate. The
            hidden units never fall below one.
        use_bias: Whether the two dense maps have biases; the study's have none.
        start: How the gate begins, see `Gate`.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        The same.

    Reference:
        [Hu et al., 2018](https://doi.org/10.1109/CVPR.2018.00745), equations 2 to 4.
    """

    def __init__(self, ratio=16, use_bias=False, start="paper", **kwargs):
        super().__init__(start, **kwargs)
        self.ratio = checked_ratio(ratio)
        self.use_bias = use_bias

    def build(self, input_shape):
        channels = feature_map_channels(self, input_shape)
        self.build_mlp(channels, self.ratio, self.use_bias)

    def scores(self, inputs):
        """Computes one weight a channel.

        Args:
            inputs: Feature maps, `(batch, height, width, channels)`.

        Returns:
            Weights in [0, 1], `(batch, 1, 1, channels)`.
        """
        squeezed = ops.mean(inputs, axis=(1, 2), keepdims=True)
        return self.squash(self.expand(ops.relu(self.reduce(squeezed))))
