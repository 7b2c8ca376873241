"""Squeeze-and-Excitation: one weight per channel, from the channel means."""

from typing import Any

import keras
from keras import ops

from medattn.layers.attention import Gate, Start, checked_ratio, feature_map_channels
from medattn.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="medattn")
class SqueezeExcite(Gate):
    """Gates each channel by the means of all channels over the image.

    `scores = sigmoid(W2 relu(W1 mean_hw(x)))`, and `y = x * scores`, with `W1` of
    shape `(channels, channels / ratio)` and `W2` of the transposed shape.

    Args:
        ratio: Channels over hidden units of the small network that computes the gate;
            at least one hidden unit.
        use_bias: Whether the two dense maps have biases; the study's have none.
        start: Initial state of the gate, see `Gate`.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        The same.

    Reference:
        [Hu et al., 2018](https://doi.org/10.1109/CVPR.2018.00745), equations 2 to 4.
    """

    def __init__(
        self,
        ratio: float = 16,
        use_bias: bool = False,
        start: Start = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(start, **kwargs)
        self.ratio = checked_ratio(ratio)
        self.use_bias = use_bias

    def build(self, input_shape: Shape) -> None:
        channels = feature_map_channels(self, input_shape)
        self.build_mlp(channels, self.ratio, self.use_bias)

    def scores(self, inputs: Tensor) -> Tensor:
        """Computes one weight per channel.

        Args:
            inputs: Feature maps, `(batch, height, width, channels)`.

        Returns:
            Weights in [0, 1], `(batch, 1, 1, channels)`.
        """
        squeezed = ops.mean(inputs, axis=(1, 2), keepdims=True)
        return self.squash(self.expand(ops.relu(self.reduce(squeezed))))
