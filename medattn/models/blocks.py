"""The steps that every backbone repeats: normalise, convolve, attend."""

from keras import layers

from medattn.layers import CBAM, SqueezeExcite

ATTENTION = {"none": None, "se": SqueezeExcite, "cbam": CBAM}

# The colour statistics of ImageNet, so that published weights fit as they are.
MEAN = (0.485, 0.456, 0.406)
VARIANCE = (0.229**2, 0.224**2, 0.225**2)


def normalise(x):
    """Shifts and scales pixels in [0, 1]: the first layer of every model."""
    channels = x.shape[-1]
    if channels == 3:
        mean, variance = MEAN, VARIANCE
    else:
        mean = (sum(MEAN) / 3,) * channels
        variance = (sum(VARIANCE) / 3,) * channels
    return layers.Normalization(mean=mean, variance=variance, name="normalise")(x)


def conv_norm(x, filters, kernel_size, *, strides=1, name, suffix=""):
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


def norm_relu(x, *, name):
    """Batch-normalises, then rectifies: the order inside a DenseNet."""
    x = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def head(x, num_classes, *, pooling):
    """Turns the last feature maps into logits."""
    if pooling == "avg":
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    elif pooling == "flatten":
        x = layers.Flatten(name="flatten")(x)
    else:
        raise ValueError(
            "Unknown way from feature maps to the head. Expected 'avg' or 'flatten'. "
            f"Received: pooling={pooling!r}"
        )
    return layers.Dense(num_classes, name="predictions")(x)


def attend(x, attention, *, ratio, name):
    """Puts an attention block behind `x`, or none."""
    if attention not in ATTENTION:
        raise ValueError(
            f"Unknown attention block {attention!r}. Expected one of "
            f"{sorted(ATTENTION)}. Received: attention={attention!r}"
        )
    block = ATTENTION[attention]
    return x if block is None else block(ratio, name=f"{name}_{attention}")(x)
