"""Efficient channel attention: one weight per channel, from its neighbours' means."""

from typing import Any

import keras
from keras import layers, ops

from medattn.layers.attention import Gate, Start, feature_map_channels
from medattn.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="medattn")
class EfficientChannelAttention(Gate):
    """Gates each channel by the means of its `k` neighbours, with `k` weights in total.

    `scores = sigmoid(conv1d_k(mean_hw(x)))`, the convolution running over channels;
    `k = |log2(channels) / 2 + 1 / 2|`, made odd. `y = x * scores`.

    Args:
        kernel_size: The `k` of the formula, odd; None computes it from the channels.
        start: Initial state of the gate, see `Gate`.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        The same.

    Reference:
        [Wang et al., 2020](https://doi.org/10.1109/CVPR42600.2020.01155), equations 9
        and 12.
    """

    def __init__(
        self, kernel_size: int | None = None, start: Start = "paper", **kwargs: Any
    ) -> None:
        super().__init__(start, **kwargs)
        if kernel_size is not None and (kernel_size < 1 or kernel_size % 2 == 0):
            raise ValueError(
                "The window must have a centre. Expected an odd kernel_size >= 1. "
                f"Received: kernel_size={kernel_size}"
            )
        self.kernel_size = kernel_size

    def build(self, input_shape: Shape) -> None:
        channels = feature_map_channels(self, input_shape)
        size = self.kernel_size
        if size is None:
            size = channels.bit_length() // 2  # = |log2(channels) / 2 + 1 / 2|
            size += 1 - size % 2
        self.conv = layers.Conv1D(
            1,
            size,
            padding="same",
            use_bias=False,
            kernel_initializer=self.last_initializer(),
            dtype=self.dtype_policy,
            name="conv",
        )
        self.conv.build((None, channels, 1))

    def scores(self, inputs: Tensor) -> Tensor:
        """Computes one weight per channel.

        Args:
            inputs: Feature maps, `(batch, height, width, channels)`.

        Returns:
            Weights in [0, 1], `(batch, 1, 1, channels)`.
        """
        mean = ops.mean(inputs, axis=(1, 2))[..., None]  # (batch, channels, 1)
        z = ops.squeeze(self.conv(mean), axis=-1)
        return self.squash(z[:, None, None])
