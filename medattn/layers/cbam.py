"""CBAM: a channel gate, then a spatial gate."""

from typing import Any

import keras
from keras import layers, ops

from medattn.layers.attention import Gate, Start, checked_ratio, feature_map_channels
from medattn.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="medattn")
class ChannelAttention(Gate):
    """Gates each channel by its mean and its maximum over the image.

    `scores = sigmoid(MLP(mean_hw(x)) + MLP(max_hw(x)))`, one MLP for both, with one
    hidden layer of `channels / ratio` rectified units; `y = x * scores`.

    Args:
        ratio: Channels over hidden units of the MLP; at least one hidden unit.
        use_bias: Whether the MLP has biases; the paper's has.
        start: Initial state of the gate, see `Gate`.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        The same.

    Reference:
        [Woo et al., 2018](https://doi.org/10.1007/978-3-030-01234-2_1), equation 2.
    """

    def __init__(
        self,
        ratio: float = 16,
        use_bias: bool = True,
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
        mean = ops.mean(inputs, axis=(1, 2), keepdims=True)
        maximum = ops.max(inputs, axis=(1, 2), keepdims=True)
        return self.squash(
            self.expand(ops.relu(self.reduce(mean)))
            + self.expand(ops.relu(self.reduce(maximum)))
        )


@keras.saving.register_keras_serializable(package="medattn")
class SpatialAttention(Gate):
    """Gates each position by the mean and the maximum over its channels.

    `scores = sigmoid(norm(conv([max_c(x), mean_c(x)])))` with a bias-free convolution
    and a batch norm, and `y = x * scores`.

    Args:
        kernel_size: Side of the square convolution window, odd.
        start: Initial state of the gate, see `Gate`.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        The same.

    Reference:
        [Woo et al., 2018](https://doi.org/10.1007/978-3-030-01234-2_1), equation 3;
        the batch norm is in the authors' code, not in the paper's equation.
    """

    def __init__(
        self, kernel_size: int = 7, start: Start = "paper", **kwargs: Any
    ) -> None:
        super().__init__(start, **kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                "The window must have a centre. Expected an odd kernel_size >= 1. "
                f"Received: kernel_size={kernel_size}"
            )
        self.kernel_size = kernel_size

    def build(self, input_shape: Shape) -> None:
        feature_map_channels(self, input_shape)
        self.conv = layers.Conv2D(
            1,
            self.kernel_size,
            padding="same",
            use_bias=False,
            dtype=self.dtype_policy,
            name="conv",
        )
        self.norm = layers.BatchNormalization(
            epsilon=1e-5,
            gamma_initializer="ones" if self.start == "paper" else "zeros",
            dtype=self.dtype_policy,
            name="norm",
        )
        self.conv.build((*input_shape[:-1], 2))
        self.norm.build((*input_shape[:-1], 1))

    def scores(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Computes one weight per position.

        Args:
            inputs: Feature maps, `(batch, height, width, channels)`.

        Returns:
            Weights in [0, 1], `(batch, height, width, 1)`.
        """
        maximum = ops.max(inputs, axis=-1, keepdims=True)
        mean = ops.mean(inputs, axis=-1, keepdims=True)
        pooled = ops.concatenate([maximum, mean], axis=-1)  # (batch, height, width, 2)
        return self.squash(self.norm(self.conv(pooled), training=training))

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return self.mix(inputs, self.scores(inputs, training=training))


@keras.saving.register_keras_serializable(package="medattn")
class CBAM(Gate):
    """Gates channels first, then positions: Convolutional Block Attention Module.

    `c = channel.scores(x)`, `s = spatial.scores(x * c)`, `scores = c * s`, and
    `y = x * scores`. The two gates can be read as `layer.channel.scores(x)` and
    `layer.spatial.scores(x * c)`.

    Args:
        ratio: Reduction ratio of the channel gate.
        kernel_size: Side of the spatial gate's window, odd.
        start: Initial state of both gates, see `Gate`.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        The same.

    Reference:
        [Woo et al., 2018](https://doi.org/10.1007/978-3-030-01234-2_1), equation 1.
    """

    def __init__(
        self,
        ratio: float = 16,
        kernel_size: int = 7,
        start: Start = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(start, **kwargs)
        self.ratio = checked_ratio(ratio)
        self.kernel_size = kernel_size

    def build(self, input_shape: Shape) -> None:
        shared = dict(start=self.start, dtype=self.dtype_policy)
        self.channel = ChannelAttention(self.ratio, name="channel", **shared)
        self.spatial = SpatialAttention(self.kernel_size, name="spatial", **shared)
        self.channel.build(input_shape)
        self.spatial.build(input_shape)

    def scores(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Computes one weight per value: channel weight times position weight.

        Args:
            inputs: Feature maps, `(batch, height, width, channels)`.

        Returns:
            Weights in [0, 1], `(batch, height, width, channels)`.
        """
        channel = self.channel.scores(inputs)
        spatial = self.spatial.scores(inputs * channel, training=training)
        return channel * spatial

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return self.mix(inputs, self.scores(inputs, training=training))
