"""GCNet's global context: one weighted sum over the image, added everywhere."""

from typing import Any

import keras
from keras import layers, ops

from medattn.layers.attention import Gate, Start, checked_ratio, feature_map_channels
from medattn.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="medattn")
class GlobalContext(Gate):
    """Adds to every position a transformed, weighted sum over all positions.

    `scores = softmax_hw(w x)`, `context = sum_hw scores * x`, and
    `y = x + W2 relu(norm(W1 context + b1)) + b2`, with `channels / ratio` hidden units
    and a layer norm.

    Args:
        ratio: Channels over hidden units of the transform; at least four hidden units,
            because a layer norm of one unit is always zero.
        start: `"paper"`, or `"identity"`: `W2` is zero at the first step, so that
            nothing is added.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        The same.

    Reference:
        [Cao et al., 2019](https://doi.org/10.1109/ICCVW.2019.00246), equation 5.
    """

    def __init__(
        self, ratio: float = 16, start: Start = "paper", **kwargs: Any
    ) -> None:
        super().__init__(start, **kwargs)
        self.ratio = checked_ratio(ratio)

    def build(self, input_shape: Shape) -> None:
        channels = feature_map_channels(self, input_shape)
        self.build_mlp(channels, self.ratio, use_bias=True, least=4)
        self.key = layers.Dense(  # a bias would cancel in the softmax
            1, use_bias=False, dtype=self.dtype_policy, name="key"
        )
        self.norm = layers.LayerNormalization(
            epsilon=1e-5, dtype=self.dtype_policy, name="norm"
        )
        self.key.build(input_shape)
        self.norm.build((None, 1, 1, self.reduce.units))

    def scores(self, inputs: Tensor) -> Tensor:
        """Computes the weight of each position in the sum.

        Args:
            inputs: Feature maps, `(batch, height, width, channels)`.

        Returns:
            Weights in [0, 1], `(batch, height, width, 1)`, summing to one per image.
        """
        # ops.softmax over two axes fails on TensorFlow when the batch size is unknown.
        fit = self.key(inputs)
        weight = ops.exp(fit - ops.max(fit, axis=(1, 2), keepdims=True))
        return weight / ops.sum(weight, axis=(1, 2), keepdims=True)

    def mix(self, inputs: Tensor, scores: Tensor) -> Tensor:
        """Sums positions by the scores, transforms the sum, and adds it everywhere."""
        context = ops.sum(inputs * scores, axis=(1, 2), keepdims=True)
        return inputs + self.expand(ops.relu(self.norm(self.reduce(context))))
