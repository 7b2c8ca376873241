"""A small U-Net for the lessons, plain, with attention gates or a transformer block."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, TypeAlias

import keras
from keras import layers, ops

from medattn.layers import AttentionLayer
from medattn.layers.tensor import Shape, Tensor
from medattn.models.blocks import normalise
from medattn.models.deit import PositionEmbedding, transformer_block

KINDS = ("plain", "gates", "transformer")
Kind: TypeAlias = Literal["plain", "gates", "transformer"]


@keras.saving.register_keras_serializable(package="medattn")
class SkipGate(AttentionLayer):
    """Weights a skip connection by a coarser map: the attention gate of a U-Net.

    `scores = sigmoid(v relu(W_x x + W_g g + b) + c)`, one a position; `y = x * scores`.

    Args:
        units: Hidden units.

    Input shape:
        `[(batch, height, width, channels), (batch, height, width, others)]`: the skip
        connection and the coarser map, upsampled to the same size.

    Output shape:
        That of the skip connection.

    Reference:
        [Oktay et al., 2018](https://arxiv.org/abs/1804.03999), equations 1 and 2.
    """

    def __init__(self, units: int = 8, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: list[Shape]) -> None:
        dense = partial(layers.Dense, dtype=self.dtype_policy)
        self.skip = dense(self.units, use_bias=False, name="skip")
        self.gating = dense(self.units, name="gating")
        self.last = dense(1, name="last")
        self.skip.build(input_shape[0])
        self.gating.build(input_shape[1])
        self.last.build((*input_shape[0][:-1], self.units))

    def scores(self, inputs: list[Tensor]) -> Tensor:
        """Computes one weight a position, `(batch, height, width, 1)`."""
        skip, coarse = inputs
        return ops.sigmoid(self.last(ops.relu(self.skip(skip) + self.gating(coarse))))

    def mix(self, inputs: list[Tensor], scores: Tensor) -> Tensor:
        """Multiplies the skip connection by the scores."""
        return inputs[0] * scores

    def compute_output_shape(  # type: ignore[override]  # of two inputs
        self, input_shape: list[Shape]
    ) -> Shape:
        return tuple(input_shape[0])


def unet(
    kind: Kind = "plain",
    *,
    size: int = 64,
    widths: Sequence[int] = (8, 12, 16),
    prior: float = 0.05,
) -> keras.Model:
    """Builds a U-Net that computes one logit a pixel.

    Args:
        kind: `"plain"`; `"gates"`, with a `SkipGate` in each skip connection; or
            `"transformer"`, with one transformer block at the coarsest resolution.
        size: Height and width of the images, a multiple of 8.
        widths: Channels at full, half and quarter size; twice the last at an eighth.
        prior: Probability of a lesion that the untrained network predicts for each
            pixel; 0.5 is no prior.

    Returns:
        A functional `keras.Model`, `(batch, size, size, 3)` to `(batch, size, size)`.

    Reference:
        [Ronneberger et al., 2015](https://arxiv.org/abs/1505.04597), figure 1, with
        batch norms and fewer channels.
    """
    if kind not in KINDS:
        raise ValueError(
            f"Unknown kind of U-Net. Expected one of {KINDS}. Received: kind={kind!r}"
        )
    inputs = keras.Input((size, size, 3), name="image")
    x, skips = normalise(inputs), []
    for width in widths:
        x = _two_convolutions(x, width)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = _two_convolutions(x, 2 * widths[-1])
    if kind == "transformer":
        shape, dim = x.shape[1:], x.shape[-1]
        x = layers.Reshape((-1, dim))(x)  # (batch, positions, dim)
        x = PositionEmbedding(name="positions")(x)
        x = transformer_block(x, 4, 2 * dim, name="inside")
        x = layers.Reshape(shape)(x)
    for level, (width, skip) in enumerate(
        zip(reversed(widths), reversed(skips), strict=True)
    ):
        x = layers.UpSampling2D(interpolation="bilinear")(x)
        if kind == "gates":
            skip = SkipGate(name=f"gate_{level}")([skip, x])
        x = _two_convolutions(layers.Concatenate()([x, skip]), width)
    prior_logit = keras.initializers.Constant(math.log(prior / (1 - prior)))
    logits = layers.Conv2D(1, 1, bias_initializer=prior_logit, name="logits")(x)
    return keras.Model(inputs, layers.Reshape((size, size))(logits), name=kind)


def dice_loss(masks: Tensor, logits: Tensor) -> Tensor:
    """Computes one minus the soft Dice, plus the mean cross-entropy of the pixels.

    Args:
        masks: `(batch, height, width)`, 0 or 1.
        logits: Same shape.

    Returns:
        The loss of each sample, `(batch,)`.
    """
    masks = ops.cast(masks, logits.dtype)
    probability = ops.sigmoid(logits)
    both = ops.sum(masks * probability, axis=(1, 2))
    size = ops.sum(masks, axis=(1, 2)) + ops.sum(probability, axis=(1, 2))
    entropy = ops.binary_crossentropy(masks, logits, from_logits=True)
    return 1 - (2 * both + 1) / (size + 1) + ops.mean(entropy, axis=(1, 2))


def _two_convolutions(x: Tensor, width: int) -> Tensor:
    for _ in range(2):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        # A lesson trains for few steps, so the moving averages must adapt quickly.
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return x
