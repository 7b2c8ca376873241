"""The building blocks of every backbone: normalise, convolve, attend, classify."""

from collections.abc import Callable
from typing import Literal, TypeAlias

from keras import layers

from medattn.layers import CBAM, SqueezeExcite
from medattn.layers.attention import Gate
from medattn.layers.tensor import Tensor

ATTENTION: dict[str, Callable[..., Gate] | None] = {
    "none": None,
    "se": SqueezeExcite,
    "cbam": CBAM,
}
Pooling: TypeAlias = Literal["avg", "flatten"]

# The colour statistics of ImageNet, so that published weights fit unchanged.
MEAN = (0.485, 0.456, 0.406)
VARIANCE = (0.229**2, 0.224**2, 0.225**2)


def normalise(x: Tensor) -> Tensor:
    """Shifts and scales pixels in [0, 1]: the first layer of every model."""
    channels = x.shape[-1]
    mean: tuple[float, ...]
    variance: tuple[float, ...]
    if channels == 3:
        mean, variance = MEAN, VARIANCE
    else:
        mean = (sum(MEAN) / 3,) * channels
        variance = (sum(VARIANCE) / 3,) * channels
    return layers.Normalization(mean=mean, variance=variance, name="normalise")(x)


def conv_norm(
    x: Tensor,
    filters: int,
    kernel_size: int,
    *,
    strides: int = 1,
    name: str,
    suffix: str = "",
) -> Tensor:
    """Convolves without bias, then batch-normalises; padding as in torchvision."""
    conv, norm, pad = (
        f"{name}{suffix}_conv",
        f"{name}{suffix}_bn",
        f"{name}{suffix}_pad",
    )
    padding = "valid"
    if kernel_size > 1 and strides > 1:
        # torch pads both sides when strides > 1, Keras one; so pad by hand.
        x = layers.ZeroPadding2D(kernel_size // 2, name=pad)(x)
    elif kernel_size > 1:
        padding = "same"
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        use_bias=False,
        kernel_initializer="he_normal",
        name=conv,
    )(x)
    return layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=norm)(x)


def norm_relu(x: Tensor, *, name: str) -> Tensor:
    """Batch-normalises, then rectifies: the order inside a DenseNet."""
    x = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def head(x: Tensor, num_classes: int, *, pooling: Pooling) -> Tensor:
    """Maps the last feature maps to logits."""
    if pooling == "avg":
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    elif pooling == "flatten":
        x = layers.Flatten(name="flatten")(x)
    else:
        raise ValueError(
            "Unknown pooling before the head. Expected 'avg' or 'flatten'. "
            f"Received: pooling={pooling!r}"
        )
    return layers.Dense(num_classes, name="predictions")(x)


def attend(x: Tensor, attention: str, *, ratio: float, name: str) -> Tensor:
    """Applies an attention block to `x`, or none."""
    if attention not in ATTENTION:
        raise ValueError(
            f"Unknown attention block {attention!r}. Expected one of "
            f"{sorted(ATTENTION)}. Received: attention={attention!r}"
        )
    block = ATTENTION[attention]
    return x if block is None else block(ratio, name=f"{name}_{attention}")(x)
