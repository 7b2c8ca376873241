"""Small models of the table of what works: one layer, output or way of writing each."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

Builder = Callable[[], keras.Model]
SIDE = 32  # pixels; more where a network asks for more
CLASSES = 3


def network(
    shape: tuple[int | None, ...],
    form: Callable[[Any], Any],
    *,
    classes: int = CLASSES,
    activation: Any = None,
) -> keras.Model:
    """A dense head, after one layer or operation in question."""
    inputs = keras.Input(shape)
    x = form(inputs)
    axes = tuple(range(1, len(x.shape) - 1))
    x = ops.mean(x, axis=axes) if axes else x
    return keras.Model(inputs, layers.Dense(classes, activation=activation)(x))


class Block(layers.Layer):
    """A convolution inside a layer that somebody wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = layers.Conv2D(4, 3, padding="same")

    def build(self, shape: Any) -> None:
        """Builds the convolution."""
        self.conv.build(shape)

    def call(self, x: Any) -> Any:
        """Convolves, and keeps what is positive."""
        return ops.relu(self.conv(x))


class ClassToken(layers.Layer):
    """A token that is learnt, before the others."""

    def build(self, shape: Any) -> None:
        """Makes the token."""
        self.token = self.add_weight(shape=(1, 1, shape[-1]), name="token")

    def call(self, x: Any) -> Any:
        """Puts it before the tokens."""
        token = ops.tile(self.token, (ops.shape(x)[0], 1, 1))
        return ops.concatenate([token, x], 1)


class MyDense(layers.Dense):
    """A subclass that computes what its base does."""


class Sorted(layers.Layer):
    """A layer whose code speaks to TensorFlow alone, and for which there is no rule."""

    def call(self, x: Any) -> Any:
        """Sorts the channels."""
        import tensorflow as tf

        return tf.sort(x, axis=-1)


class Subclassed(keras.Model):
    """A model that does not show its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = layers.Conv2D(4, 3), layers.Dense(CLASSES)

    def call(self, x: Any) -> Any:
        """Convolves, averages, weighs."""
        return self.head(ops.mean(self.conv(x), axis=(1, 2)))


def subclassed() -> keras.Model:
    """A subclassed model, called once."""
    model = Subclassed()
    model(ops.ones((1, SIDE, SIDE, 3)))
    return model


def wrapped() -> keras.Model:
    """A subclassed model inside a functional one."""
    inputs = keras.Input((SIDE, SIDE, 3))
    return keras.Model(inputs, subclassed()(inputs))


def quantised() -> keras.Model:
    """A model after `quantize("int8")`."""
    model = network((8,), layers.Dense(8, activation="relu"))
    model.quantize("int8")
    return model


def text() -> keras.Model:
    """Words, to be explained at their embedding."""
    ids = keras.Input((TOKENS,), dtype="int32")
    x = layers.Embedding(50, 8, mask_zero=True, name="words")(ids)
    x = layers.GlobalAveragePooling1D()(layers.LSTM(6, return_sequences=True)(x))
    return keras.Model(ids, layers.Dense(CLASSES)(x))


def image_and_table() -> keras.Model:
    """An image and clinical values."""
    image, table = keras.Input((16, 16, 3), name="image"), keras.Input((5,))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(image))
    joined = layers.Concatenate()([x, table])
    return keras.Model([image, table], layers.Dense(CLASSES)(joined))


def two_images() -> keras.Model:
    """Two images that share a base."""
    base = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Conv2D(6, 3, activation="relu")]
    )
    one, other = keras.Input((16, 16, 3)), keras.Input((16, 16, 3))
    x = layers.Concatenate()([base(one), base(other)])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model([one, other], layers.Dense(CLASSES)(x))


def unet() -> keras.Model:
    """A segmentation: two classes a pixel."""
    image = keras.Input((16, 16, 1))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    y = layers.MaxPooling2D()(x)
    y = layers.Conv2DTranspose(4, 2, strides=2, activation="relu")(y)
    y = layers.Concatenate()([x, y])
    return keras.Model(image, layers.Conv2D(2, 1, activation="softmax")(y))


def score() -> keras.Model:
    """A number a sample, `(batch,)`."""
    model = network((6,), layers.Dense(5, activation="relu"), classes=1)
    return keras.Model(model.inputs[0], ops.squeeze(model.output, -1))


def slices(x: Any) -> Any:
    """Slices of a CT, each through one network."""
    cnn = keras.Sequential(
        [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D()]
    )
    return layers.TimeDistributed(cnn)(x)


def resized(layer: keras.Layer) -> Callable[[Any], Any]:
    """A layer that changes the image's size, and a convolution."""
    return lambda x: layers.Conv2D(4, 3, activation="relu")(layer(x))


def attended(layer: keras.Layer) -> Callable[[Any], Any]:
    """Self-attention of tokens."""
    return lambda x: layers.LayerNormalization()(x + layer(x, x))


TOKENS, DIM = 12, 16
SEQUENCE = (TOKENS, DIM)
IMAGE = (SIDE, SIDE, 3)
FORMS: dict[str, Builder] = {
    "ends in a softmax": lambda: network((6,), layers.Dense(4), activation="softmax"),
    "ends in a sigmoid": lambda: network(
        (6,), layers.Dense(4), classes=1, activation="sigmoid"
    ),
    "softmax of a lambda": lambda: network(
        (6,), layers.Dense(4), activation=lambda x: ops.softmax(x)
    ),
    "log_softmax": lambda: network((6,), layers.Dense(4), activation="log_softmax"),
    "sparsemax": lambda: network((6,), layers.Dense(4), activation="sparsemax"),
    "Softmax inside": lambda: network((6,), layers.Softmax()),
    "int8": quantised,
    "MultiHeadAttention": lambda: network(
        SEQUENCE, attended(layers.MultiHeadAttention(2, 8))
    ),
    "MultiHeadAttention with dropout": lambda: network(
        SEQUENCE, attended(layers.MultiHeadAttention(2, 8, dropout=0.1))
    ),
    "GroupQueryAttention": lambda: network(
        SEQUENCE, attended(layers.GroupQueryAttention(8, 4, 2))
    ),
    "Attention": lambda: network(SEQUENCE, lambda x: layers.Attention()([x, x])),
    "AdditiveAttention": lambda: network(
        SEQUENCE, lambda x: layers.AdditiveAttention()([x, x])
    ),
    "class token by hand": lambda: network(SEQUENCE, ClassToken()),
    "LSTM": lambda: network(SEQUENCE, layers.LSTM(4, return_sequences=True)),
    "Bidirectional GRU": lambda: network(
        SEQUENCE, layers.Bidirectional(layers.GRU(4, return_sequences=True))
    ),
    "Conv1D (ECG)": lambda: network((64, 3), layers.Conv1D(4, 5, activation="relu")),
    "Conv3D (CT)": lambda: network(
        (6, 8, 8, 1), layers.Conv3D(4, 3, activation="relu")
    ),
    "TimeDistributed (CT slices)": lambda: network((4, 8, 8, 1), slices),
    "ConvLSTM2D": lambda: network((3, 8, 8, 1), layers.ConvLSTM2D(4, 3)),
    "abs": lambda: network((6,), lambda x: ops.abs(layers.Dense(4)(x))),
    "std": lambda: network((5, 6), lambda x: ops.std(layers.Dense(4)(x), 1)),
    "power": lambda: network((6,), lambda x: layers.Dense(3)(x) ** 2),
    "UnitNormalization": lambda: network(
        (6,), lambda x: layers.UnitNormalization()(layers.Dense(3)(x))
    ),
    "Lambda of tf.nn.relu": lambda: network((6,), layers.Lambda(tensorflow_relu)),
    "tf.sort in call": lambda: network((6,), Sorted(name="mine")),
    "any size": lambda: network(
        (None, None, 3), layers.Conv2D(4, 3, activation="relu")
    ),
    "words (at their embedding)": text,
    "words": text,
    "image and table": image_and_table,
    "two images": two_images,
    "block written as a layer": lambda: network(IMAGE, lambda x: Block()(Block()(x))),
    "subclass of Dense": lambda: network((6,), MyDense(4, activation="relu")),
    "subclassed model": subclassed,
    "subclassed model, wrapped": wrapped,
    "Resizing": lambda: network(IMAGE, resized(layers.Resizing(16, 16))),
    "CenterCrop": lambda: network(IMAGE, resized(layers.CenterCrop(16, 16))),
    "x ** 3": lambda: network((1,), lambda x: x * x * x),
    "segmentation (largest entry)": unet,
    "segmentation (a region)": unet,
    "a score, (batch,)": score,
}


def tensorflow_relu(x: Any) -> Any:
    """TensorFlow's own operation."""
    import tensorflow as tf

    return tf.nn.relu(x)
