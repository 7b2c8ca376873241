"""ResNet: bottlenecks with a shortcut, and attention before the sum."""

from collections.abc import Sequence

import keras
from keras import layers

from medattn.layers.tensor import Tensor
from medattn.models.blocks import Pooling, attend, conv_norm, head, normalise


def resnet(
    num_classes: int,
    input_shape: tuple[int, int, int],
    *,
    blocks: Sequence[int],
    widths: Sequence[int],
    stem_width: int = 64,
    stem_kernel: int = 7,
    stem_pool: bool = True,
    expansion: int = 4,
    attention: str = "none",
    ratio: float = 16,
    pooling: Pooling = "avg",
    name: str | None = None,
) -> keras.Model:
    """Builds a residual network of bottlenecks, as torchvision's (stride in the 3 x 3).

    Layer names are those of `keras.applications`, whose ResNet-50 is another network:
    it strides in the 1 x 1, so that its weights do not fit here. The attention block
    of a bottleneck follows its last batch norm, before the shortcut is added.

    Args:
        num_classes: Number of logits.
        input_shape: `(height, width, channels)` of the images, pixels in [0, 1].
        blocks: Bottlenecks in each stage.
        widths: Width of the 3 x 3 convolutions in each stage; a stage's output has
            `expansion` times as many channels.
        stem_width: Channels after the first convolution.
        stem_kernel: Side of the first convolution's window.
        stem_pool: Whether a 3 x 3 max pooling of stride 2 follows the stem.
        expansion: Channels of a bottleneck's output over its width.
        attention: A key of `medattn.models.ATTENTION`.
        ratio: Reduction ratio of the attention blocks.
        pooling: `"avg"` or `"flatten"`, between the feature maps and the head.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from images to logits `(batch, num_classes)`.

    Reference:
        [He et al., 2016](https://doi.org/10.1109/CVPR.2016.90), table 1 and figure 5.
    """
    inputs = keras.Input(input_shape, name="image")
    x = normalise(inputs)
    x = conv_norm(x, stem_width, stem_kernel, strides=2, name="conv1")
    x = layers.Activation("relu", name="conv1_relu")(x)
    if stem_pool:
        x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
        x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, (depth, width) in enumerate(zip(blocks, widths, strict=True), start=2):
        for block in range(1, depth + 1):
            x = bottleneck(
                x,
                width,
                expansion=expansion,
                strides=2 if block == 1 and stage > 2 else 1,
                attention=attention,
                ratio=ratio,
                name=f"conv{stage}_block{block}",
            )
    return keras.Model(inputs, head(x, num_classes, pooling=pooling), name=name)


def bottleneck(
    x: Tensor,
    width: int,
    *,
    expansion: int,
    strides: int,
    attention: str,
    ratio: float,
    name: str,
) -> Tensor:
    """Reduces, convolves 3 x 3, expands, attends, and adds the shortcut."""
    shortcut = x
    if strides > 1 or x.shape[-1] != expansion * width:
        shortcut = conv_norm(
            x, expansion * width, 1, strides=strides, name=name, suffix="_0"
        )
    x = conv_norm(x, width, 1, name=name, suffix="_1")
    x = layers.Activation("relu", name=f"{name}_1_relu")(x)
    x = conv_norm(x, width, 3, strides=strides, name=name, suffix="_2")
    x = layers.Activation("relu", name=f"{name}_2_relu")(x)
    x = conv_norm(x, expansion * width, 1, name=name, suffix="_3")
    x = attend(x, attention, ratio=ratio, name=name)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)
