"""GCNet's global context: one summary of the whole image, added everywhere."""

import keras
from keras import layers, ops

from medattn.layers.attention import Gate, checked_ratio, feature_map_channels


@keras.saving.register_keras_serializable(package="medattn")
class GlobalContext(Gate):
    """Adds to every place a transformed summary of the places that matter.

    `scores = softmax_hw(w x)`, `context = sum_hw scores * x`, and
    `y = x + W2 relu(norm(W1 context + b1)) + b2`, with `channels / ratio` units between
    and a layer norm.

    Args:
        ratio: Channels over hidden units of the transform. The hidden units never fall
            below four: a layer norm of one unit is always zero.
        start: `"paper"`, or `"identity"`: `W2` begins at zero, so nothing is added at
            the first step.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        The same.

    Reference:
        [Cao et al., 2019](https://doi.org/10.1109/ICCVW.2019.00246), equation 5.
    """

    def __init__(self, ratio=16, start="paper", **kwargs):
        super().__init__(start, **kwargs)
        self.ratio = checked_ratio(ratio)

    def build(self, input_shape):
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

    def scores(self, inputs):
        """Computes how much each place counts in the summary.

        Args:
            inputs: Feature maps, `(batch, height, width, channels)`.

        Returns:
            Weights in [0, 1], `(batch, height, width, 1)`, summing to one an image.
        """
        # ops.softmax over two axes fails on TensorFlow when the batch size is open.
        fit = self.key(inputs)
        weight = ops.exp(fit - ops.max(fit, axis=(1, 2), keepdims=True))
        return weight / ops.sum(weight, axis=(1, 2), keepdims=True)

    def mix(self, inputs, scores):
        """Sums the places by the scores, transforms the sum, and adds it everywhere."""
        context = ops.sum(inputs * scores, axis=(1, 2), keepdims=True)
        return inputs + self.expand(ops.relu(self.norm(self.reduce(context))))
