"""Coordinate attention: one weight a row and one a column, for each channel."""

import keras
from keras import layers, ops

from medattn.layers.attention import Gate, checked_ratio, feature_map_channels


@keras.saving.register_keras_serializable(package="medattn")
class CoordinateAttention(Gate):
    """Gates each value by its row and by its column.

    `f = hard_swish(norm(W [mean_w(x), mean_h(x)]))`, rows and columns in one list;
    `scores = sigmoid(W_h f_rows) * sigmoid(W_w f_columns)`, and `y = x * scores`.

    Args:
        ratio: Channels over hidden channels; the hidden never fall below eight.
        start: How both gates begin, see `Gate`.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        The same.

    Reference:
        [Hou et al., 2021](https://doi.org/10.1109/CVPR46437.2021.01350), equations 4
        to 9.
    """

    def __init__(self, ratio=32, start="paper", **kwargs):
        super().__init__(start, **kwargs)
        self.ratio = checked_ratio(ratio)

    def build(self, input_shape):
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

    def scores(self, inputs, training=None):
        """Computes one weight a value: that of its row times that of its column.

        Args:
            inputs: Feature maps, `(batch, height, width, channels)`.

        Returns:
            Weights in [0, 1], `(batch, height, width, channels)`.
        """
        height = ops.shape(inputs)[1]
        rows, columns = ops.mean(inputs, axis=2), ops.mean(inputs, axis=1)
        both = ops.concatenate([rows, columns], axis=1)  # (batch, height + width, ...)
        both = ops.hard_silu(self.norm(self.squeeze(both), training=training))
        by_row = self.squash(self.rows(both[:, :height]))
        by_column = self.squash(self.columns(both[:, height:]))
        return by_row[:, :, None] * by_column[:, None]

    def call(self, inputs, training=None):
        return self.mix(inputs, self.scores(inputs, training=training))
