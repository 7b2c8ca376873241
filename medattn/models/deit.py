"""DeiT: an image as a sequence of patches, and self-attention among them."""

import keras
from keras import layers, ops

from medattn.layers import MultiHeadSelfAttention
from medattn.layers.tensor import Shape, Tensor
from medattn.models.blocks import normalise


def deit(
    num_classes: int,
    input_shape: tuple[int, int, int],
    *,
    patch: int,
    dim: int,
    depth: int,
    heads: int,
    mlp_ratio: int = 4,
    name: str | None = None,
) -> keras.Model:
    """Builds a vision transformer with a class token, as timm's DeiT (not distilled).

    Args:
        num_classes: Number of logits.
        input_shape: `(height, width, channels)` of the images, pixels in [0, 1]; height
            and width multiples of `patch`.
        patch: Side of a patch in pixels.
        dim: Channels of a token.
        depth: Number of transformer blocks.
        heads: Attention heads per block; divides `dim`.
        mlp_ratio: Hidden units of a block's MLP over `dim`.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from images to logits `(batch, num_classes)`.

    Raises:
        ValueError: If the patches do not fill the image.

    Reference:
        [Touvron et al., 2021](https://arxiv.org/abs/2012.12877), table 1; blocks as in
        [Dosovitskiy et al., 2021](https://arxiv.org/abs/2010.11929), equations 1 to 4.
    """
    height, width, _ = input_shape
    if height % patch or width % patch:
        raise ValueError(
            "The patches must fill the image. Expected height and width that are "
            f"multiples of patch={patch}. Received: input_shape={tuple(input_shape)}"
        )
    inputs = keras.Input(input_shape, name="image")
    x = normalise(inputs)
    x = layers.Conv2D(dim, patch, strides=patch, name="patch_embed_proj")(x)
    x = layers.Reshape((-1, dim), name="patches")(x)  # (batch, patches, dim)
    x = ClassToken(name="cls_token")(x)
    x = PositionEmbedding(name="pos_embed")(x)
    for block in range(depth):
        x = transformer_block(x, heads, mlp_ratio * dim, name=f"blocks_{block}")
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    logits = layers.Dense(num_classes, name="head")(x[:, 0])
    return keras.Model(inputs, logits, name=name)


def transformer_block(x: Tensor, heads: int, hidden: int, *, name: str) -> Tensor:
    """Applies self-attention, then an MLP to each token; both residual."""
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
    y = MultiHeadSelfAttention(heads, name=f"{name}_attn")(y)
    x = layers.Add(name=f"{name}_add1")([x, y])
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
    y = layers.Dense(hidden, name=f"{name}_mlp_fc1")(y)
    y = layers.Activation("gelu", name=f"{name}_mlp_act")(y)
    y = layers.Dense(x.shape[-1], name=f"{name}_mlp_fc2")(y)
    return layers.Add(name=f"{name}_add2")([x, y])


@keras.saving.register_keras_serializable(package="medattn")
class ClassToken(layers.Layer):
    """Puts a learnt token before the patches; the head reads it at the end.

    Input shape:
        `(batch, patches, dim)`

    Output shape:
        `(batch, 1 + patches, dim)`
    """

    def build(self, input_shape: Shape) -> None:
        self.token = self.add_weight(
            shape=(1, 1, input_shape[-1]),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="token",
        )

    def call(self, inputs: Tensor) -> Tensor:
        # A slice of zeros carries the batch size, which may be unknown, on any backend.
        token = ops.zeros_like(inputs[:, :1]) + self.token
        return ops.concatenate([token, inputs], axis=1)


@keras.saving.register_keras_serializable(package="medattn")
class PositionEmbedding(layers.Layer):
    """Adds to each token a learnt vector for its position.

    Input shape:
        `(batch, tokens, dim)`, tokens known.

    Output shape:
        The same.
    """

    def build(self, input_shape: Shape) -> None:
        self.position = self.add_weight(
            shape=(1, *input_shape[1:]),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="position",
        )

    def call(self, inputs: Tensor) -> Tensor:
        return inputs + self.position
