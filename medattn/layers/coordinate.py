"""Coordinate attention: one weight per row and one per column, for each channel."""

from typing import Any

import keras
from keras import layers, ops

from medattn.layers.attention import Gate, Start, checked_ratio, feature_map_channels
from medattn.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="medattn")
class CoordinateAttention(Gate):
    """Gates each value by its row and by its column.

    `f = hard_swish(norm(W [mean_w(x), mean_h(x)]))`, rows and columns concatenated;
    `scores = sigmoid(W_h f_rows) * sigmoid(W_w f_columns)`, and `y = x * scores`.

    Args:
        ratio: Channels over hidden channels; at least eight hidden channels.
        start: Initial state of both gates, see `Gate`.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        The same.

    Reference:
        [Hou et al., 2021](https://doi.org/10.1109/CVPR46437.2021.01350), equations 4
        to 9.
    """

    def __init__(
        self, ratio: float = 32, start: Start = "paper", **kwargs: Any
    ) -> None:
        super().__init__(start, **kwargs)
        self.ratio = checked_ratio(ratio)

    def build(self, input_shape: Shape) -> None:
        channels = feature_map_channels(self, input_shape)
        hidden = max(8, int(channels // self.ratio))
        shared = dict(dtype=self.dtype_policy)
        last = dict(shared, kernel_initializer=self.last_initializer())
        self.squeeze = layers.Dense(hidden, use_bias=False, name="squeeze", **shared)
        self.norm = layers.BatchNormalization(epsilon=1e-5, name="norm", **shared)
        self.rows = layers.Dense(channels, name="rows", **last)
        self.columns = layers.Dense(channels, name="columns", **last)
        self.squeeze.build((None, None, channels))
        for layer in (self.norm, self.rows, self.columns):
            layer.build((None, None, hidden))

    def scores(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Computes one weight per value: that of its row times that of its column.

        Args:
            inputs: Feature maps, `(batch, height, width, channels)`.

        Returns:
            Weights in [0, 1], `(batch, height, width, channels)`.
        """
        height = ops.shape(inputs)[1]
        rows, columns = ops.mean(inputs, axis=2), ops.mean(inputs, axis=1)
        # (batch, height + width, channels)
        pooled = ops.concatenate([rows, columns], axis=1)
        hidden = ops.hard_silu(self.norm(self.squeeze(pooled), training=training))
        by_row = self.squash(self.rows(hidden[:, :height]))
        by_column = self.squash(self.columns(hidden[:, height:]))
        return by_row[:, :, None] * by_column[:, None]

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return self.mix(inputs, self.scores(inputs, training=training))
