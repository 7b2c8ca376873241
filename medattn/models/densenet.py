"""DenseNet: each layer reads all before it; attention follows a dense block."""

from collections.abc import Sequence

import keras
from keras import layers

from medattn.layers.tensor import Tensor
from medattn.models.blocks import (
    Pooling,
    attend,
    conv_norm,
    head,
    norm_relu,
    normalise,
)


def densenet(
    num_classes: int,
    input_shape: tuple[int, int, int],
    *,
    blocks: Sequence[int],
    growth: int,
    stem_width: int = 64,
    stem_kernel: int = 7,
    reduction: float = 0.5,
    attention: str = "none",
    ratio: float = 16,
    pooling: Pooling = "avg",
    name: str | None = None,
) -> keras.Model:
    """Builds a densely connected network, as torchvision's.

    Layer names are those of `keras.applications`. The literature does not agree
    on the position of attention in a DenseNet; here, as in the study, one attention
    block follows each dense block, before the transition.

    Args:
        num_classes: Number of logits.
        input_shape: `(height, width, channels)` of the images, pixels in [0, 1].
        blocks: Layers in each dense block.
        growth: Channels that each layer adds.
        stem_width: Channels after the first convolution.
        stem_kernel: Side of the first convolution's window.
        reduction: Fraction of the channels that a transition keeps.
        attention: A key of `medattn.models.ATTENTION`.
        ratio: Reduction ratio of the attention blocks.
        pooling: `"avg"`, or `"flatten"` as in the study, which also omits the last
            ReLU.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from images to logits `(batch, num_classes)`.

    Reference:
        [Huang et al., 2017](https://doi.org/10.1109/CVPR.2017.243), table 1.
    """
    inputs = keras.Input(input_shape, name="image")
    x = normalise(inputs)
    x = conv_norm(x, stem_width, stem_kernel, strides=2, name="conv1")
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, depth in enumerate(blocks, start=2):
        for block in range(1, depth + 1):
            x = dense_layer(x, growth, name=f"conv{stage}_block{block}")
        x = attend(x, attention, ratio=ratio, name=f"conv{stage}")
        if stage <= len(blocks):
            x = transition(x, int(x.shape[-1] * reduction), name=f"pool{stage}")
    x = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name="bn")(x)
    if pooling == "avg":
        x = layers.Activation("relu", name="relu")(x)
    return keras.Model(inputs, head(x, num_classes, pooling=pooling), name=name)


def dense_layer(x: Tensor, growth: int, *, name: str) -> Tensor:
    """Reduces to four times the growth, convolves 3 x 3, and concatenates."""
    y = norm_relu(x, name=f"{name}_0")
    y = conv_norm(y, 4 * growth, 1, name=name, suffix="_1")
    y = layers.Activation("relu", name=f"{name}_1_relu")(y)
    y = layers.Conv2D(
        growth,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_2_conv",
    )(y)
    return layers.Concatenate(name=f"{name}_concat")([x, y])


def transition(x: Tensor, channels: int, *, name: str) -> Tensor:
    """Reduces the channels and halves height and width."""
    x = norm_relu(x, name=name)
    x = layers.Conv2D(
        channels,
        1,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return layers.AveragePooling2D(2, name=f"{name}_pool")(x)
