"""The form that all attention layers share: scores, then mix."""

from typing import Any, Literal, TypeAlias

import keras
from keras import layers, ops

from medattn.layers.tensor import Shape, Tensor


class AttentionLayer(keras.layers.Layer):
    """Weighs its input by scores that it computes from that same input.

    `y = mix(x, scores(x))`

    A subclass defines `scores`. The two steps are public, so that lessons and the app
    can draw exactly the scores that `call` uses.

    Call arguments:
        inputs: Feature maps, `(batch, height, width, channels)`.

    Returns:
        Feature maps of the same shape.

    Raises:
        ValueError: If Keras is set to `channels_first`, or the input is not a batch
            of feature maps.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if keras.config.image_data_format() != "channels_last":
            raise ValueError(
                f"{type(self).__name__} takes feature maps with the channels last. "
                "Expected keras.config.image_data_format() == 'channels_last'. "
                f"Received: {keras.config.image_data_format()!r}"
            )

    def scores(self, inputs: Tensor) -> Tensor:
        """Computes the attention weights, in a shape that broadcasts to the input."""
        raise TypeError(
            f"{type(self).__name__} does not define its scores. Expected a subclass "
            f"of AttentionLayer that defines `scores(inputs)`. Received: {self!r}"
        )

    def mix(self, inputs: Tensor, scores: Tensor) -> Tensor:
        """Applies the scores to the input; a gate multiplies."""
        return inputs * scores

    def call(self, inputs: Tensor) -> Tensor:
        return self.mix(inputs, self.scores(inputs))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


Start: TypeAlias = Literal["paper", "identity"]


class Gate(AttentionLayer):
    """An attention layer whose scores multiply its input.

    Args:
        start: `"paper"`: `scores = sigmoid(z)` as in the papers, about one half at the
            first step. `"identity"`: `scores = 2 sigmoid(z)` with z zero at the first
            step, so that every score is 1 and a network computes exactly what it did
            before the gate was inserted; the scores then range over [0, 2].
    """

    STARTS = ("paper", "identity")

    def __init__(self, start: Start = "paper", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if start not in self.STARTS:
            raise ValueError(
                f"Unknown start of a gate. Expected one of {self.STARTS}. "
                f"Received: start={start!r}"
            )
        self.start = start

    def squash(self, z: Tensor) -> Tensor:
        """Maps the gate's raw output to scores."""
        return ops.sigmoid(z) if self.start == "paper" else 2 * ops.sigmoid(z)

    def last_initializer(self) -> str:
        """Names the initializer of the last map before `squash`, as `start` needs."""
        return "glorot_uniform" if self.start == "paper" else "zeros"

    def build_mlp(
        self,
        channels: int,
        ratio: float,
        use_bias: bool,
        *,
        least: int = 1,
        normed: bool = False,
    ) -> None:
        """Adds `reduce` and `expand`, with `channels / ratio` units between them.

        Args:
            channels: Inputs of `reduce` and outputs of `expand`.
            ratio: Channels over hidden units.
            use_bias: Whether the two dense maps have biases.
            least: Minimum number of hidden units.
            normed: Whether a batch norm follows.
        """
        hidden = max(least, int(channels // ratio))
        self.reduce = layers.Dense(
            hidden, use_bias=use_bias, dtype=self.dtype_policy, name="reduce"
        )
        self.expand = layers.Dense(
            channels,
            use_bias=use_bias and not normed,  # the batch norm cancels a bias
            kernel_initializer="glorot_uniform" if normed else self.last_initializer(),
            dtype=self.dtype_policy,
            name="expand",
        )
        self.reduce.build((None, 1, 1, channels))
        self.expand.build((None, 1, 1, hidden))


def checked_ratio(ratio: float) -> float:
    """Returns a reduction ratio; raises ValueError if it is below one."""
    if not ratio >= 1:
        raise ValueError(
            "The reduction ratio divides the number of channels. Expected "
            f"ratio >= 1. Received: ratio={ratio}"
        )
    return ratio


def feature_map_channels(layer: keras.layers.Layer, input_shape: Shape) -> int:
    """Returns the number of channels; raises ValueError if it is not known."""
    if len(input_shape) != 4 or input_shape[-1] is None:
        raise ValueError(
            f"{type(layer).__name__} takes feature maps with a known number of "
            "channels. Expected input_shape=(batch, height, width, channels). "
            f"Received: input_shape={tuple(input_shape)}"
        )
    return input_shape[-1]
