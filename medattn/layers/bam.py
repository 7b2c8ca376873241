"""BAM: a channel branch and a spatial branch in parallel, added into one gate."""

from typing import Any

import keras
from keras import layers, ops

from medattn.layers.attention import Gate, Start, checked_ratio, feature_map_channels
from medattn.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="medattn")
class BAM(Gate):
    """Amplifies each value by a gate from a channel branch and a spatial branch.

    `scores = sigmoid(channel(x) + spatial(x))` and `y = x + x * scores`, where
    `channel = norm(W2 relu(W1 mean_hw(x) + b1))` and `spatial` is a 1 x 1
    convolution to `channels / ratio`, two dilated 3 x 3 convolutions, and a 1 x 1
    convolution to one map, batch-normalised.

    With `start="identity"`, `scores = 2 sigmoid(z)` and `y = x * scores`, so that the
    block is the identity at the first step.

    Args:
        ratio: Reduction ratio of both branches.
        dilation: Dilation of the 3 x 3 convolutions.
        start: Initial state of the gate, see `Gate`.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        The same.

    Reference:
        [Park et al., 2018](https://arxiv.org/abs/1807.06514), equations 1 to 4.
    """

    def __init__(
        self,
        ratio: float = 16,
        dilation: int = 4,
        start: Start = "paper",
        **kwargs: Any,
    ) -> None:
        super().__init__(start, **kwargs)
        self.ratio = checked_ratio(ratio)
        self.dilation = dilation

    def build(self, input_shape: Shape) -> None:
        channels = feature_map_channels(self, input_shape)
        hidden = max(1, int(channels // self.ratio))
        self.build_mlp(channels, self.ratio, use_bias=True, normed=True)
        last = "ones" if self.start == "paper" else "zeros"

        def conv(
            filters: int, size: int, name: str, **options: Any
        ) -> keras.layers.Layer:
            return layers.Conv2D(
                filters,
                size,
                padding="same",
                dtype=self.dtype_policy,
                name=name,
                **options,
            )

        def norm(name: str, gamma: str = "ones") -> keras.layers.Layer:
            return layers.BatchNormalization(
                epsilon=1e-5,
                gamma_initializer=gamma,
                dtype=self.dtype_policy,
                name=name,
            )

        self.channel_norm = norm("channel_norm", last)
        self.narrow = conv(hidden, 1, "narrow")
        self.look1 = conv(hidden, 3, "look1", dilation_rate=self.dilation)
        self.look2 = conv(hidden, 3, "look2", dilation_rate=self.dilation)
        self.place = conv(1, 1, "place", use_bias=False)
        self.spatial_norm = norm("spatial_norm", last)
        inner = (*input_shape[:-1], hidden)
        self.channel_norm.build((None, 1, 1, channels))
        self.narrow.build(input_shape)
        for layer in (self.look1, self.look2, self.place):
            layer.build(inner)
        self.spatial_norm.build((*input_shape[:-1], 1))

    def scores(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Computes one weight per value.

        Args:
            inputs: Feature maps, `(batch, height, width, channels)`.

        Returns:
            Weights in [0, 1], `(batch, height, width, channels)`.
        """
        mean = ops.mean(inputs, axis=(1, 2), keepdims=True)
        channel = self.expand(ops.relu(self.reduce(mean)))
        context = ops.relu(self.look1(ops.relu(self.narrow(inputs))))
        spatial = self.place(ops.relu(self.look2(context)))
        return self.squash(
            self.channel_norm(channel, training=training)
            + self.spatial_norm(spatial, training=training)
        )

    def mix(self, inputs: Tensor, scores: Tensor) -> Tensor:
        """Adds the gated input to the input; an identity start only gates."""
        gated = inputs * scores
        return inputs + gated if self.start == "paper" else gated

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return self.mix(inputs, self.scores(inputs, training=training))
