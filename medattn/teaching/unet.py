"""A U-Net small enough for a lesson, with attention gates or a transformer inside."""

import math
from functools import partial

import keras
from keras import layers, ops

from medattn.layers import AttentionLayer
from medattn.models.blocks import normalise
from medattn.models.deit import PositionEmbedding, transformer_block

KINDS = ("plain", "gates", "transformer")


@keras.saving.register_keras_serializable(package="medattn")
class SkipGate(AttentionLayer):
    """Lets through what a coarser map asks for: the attention gate of a U-Net.

    `scores = sigmoid(v relu(W_x x + W_g g + b) + c)`, one a place; `y = x * scores`.

    Args:
        units: Hidden units.

    Input shape:
        `[(batch, height, width, channels), (batch, height, width, others)]`: the skip
        connection and the coarser map, already enlarged.

    Output shape:
        That of the skip connection.

    Reference:
        [Oktay et al., 2018](https://arxiv.org/abs/1804.03999), equations 1 and 2.
    """

    def __init__(self, units=8, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        dense = partial(layers.Dense, dtype=self.dtype_policy)
        self.skip = dense(self.units, use_bias=False, name="skip")
        self.ask = dense(self.units, name="ask")
        self.last = dense(1, name="last")
        self.skip.build(input_shape[0])
        self.ask.build(input_shape[1])
        self.last.build((*input_shape[0][:-1], self.units))

    def scores(self, inputs):
        """Computes one weight a place, `(batch, height, width, 1)`."""
        skip, coarse = inputs
        return ops.sigmoid(self.last(ops.relu(self.skip(skip) + self.ask(coarse))))

    def mix(self, inputs, scores):
        """Weighs the skip connection."""
        return inputs[0] * scores

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])


def unet(kind="plain", *, size=64, widths=(8, 12, 16), prior=0.05):
    """Builds a U-Net from images to one logit a pixel.

    Args:
        kind: `"plain"`; `"gates"`, with a `SkipGate` in each skip connection; or
            `"transformer"`, with one transformer block at the narrowest place.
        size: Height and width of the images, a multiple of 8.
        widths: Channels at full, half and quarter size; twice the last at an eighth.
        prior: Chance of a lesion in a pixel that an untrained network should start
            from; 0.5 is no prior.

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
        x = _twice(x, width)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = _twice(x, 2 * widths[-1])
    if kind == "transformer":
        shape, dim = x.shape[1:], x.shape[-1]
        x = layers.Reshape((-1, dim))(x)  # (batch, places, dim)
        x = PositionEmbedding(name="positions")(x)
        x = transformer_block(x, 4, 2 * dim, name="inside")
        x = layers.Reshape(shape)(x)
    for number, (width, skip) in enumerate(
        zip(reversed(widths), reversed(skips), strict=True)
    ):
        x = layers.UpSampling2D(interpolation="bilinear")(x)
        if kind == "gates":
            skip = SkipGate(name=f"gate_{number}")([skip, x])
        x = _twice(layers.Concatenate()([x, skip]), width)
    belief = keras.initializers.Constant(math.log(prior / (1 - prior)))
    logits = layers.Conv2D(1, 1, bias_initializer=belief, name="logits")(x)
    return keras.Model(inputs, layers.Reshape((size, size))(logits), name=kind)


def dice_loss(masks, logits):
    """One minus the soft Dice of a batch, plus the cross-entropy of its pixels.

    Args:
        masks: `(batch, height, width)`, 0 or 1.
        logits: Same shape.

    Returns:
        A number a sample, `(batch,)`.
    """
    masks = ops.cast(masks, logits.dtype)
    chance = ops.sigmoid(logits)
    both = ops.sum(masks * chance, axis=(1, 2))
    size = ops.sum(masks, axis=(1, 2)) + ops.sum(chance, axis=(1, 2))
    entropy = ops.binary_crossentropy(masks, logits, from_logits=True)
    return 1 - (2 * both + 1) / (size + 1) + ops.mean(entropy, axis=(1, 2))


def _twice(x, width):
    for _ in range(2):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        # A lesson has few steps: the norms must not lag behind.
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return x
