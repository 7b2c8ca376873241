"""Every layer and operation with a rule, in the forms in which people use them."""

import keras
import numpy as np
from keras import layers, ops


def attend(layer, **call):
    return lambda x: layer(x, x, **call)


class Cross(layers.Layer):
    """Attends from a few learnt queries to the tokens."""

    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 3)

    def build(self, shape):
        self.queries = self.add_weight(shape=(1, 3, shape[-1]), name="queries")
        self.attention.build((None, 3, shape[-1]), shape)

    def call(self, x):
        queries = ops.broadcast_to(self.queries, (ops.shape(x)[0], 3, x.shape[-1]))
        return self.attention(queries, x)


class Shifted(layers.Layer):
    """Shifts tokens, and attends within windows, as Swin does."""

    def call(self, x):
        batch, tokens, size = ops.shape(x)
        x = ops.roll(x, 1, axis=1)
        x = ops.reshape(x, (batch * tokens // 3, 3, size))
        scores = ops.softmax(ops.matmul(x, ops.transpose(x, (0, 2, 1))) / size**0.5)
        return ops.reshape(ops.matmul(scores, x), (batch, tokens, size))


TOKENS = {  # (6 tokens, 4 channels)
    "MultiHeadAttention": lambda: attend(layers.MultiHeadAttention(2, 3)),
    "with dropout": lambda: attend(layers.MultiHeadAttention(2, 3, dropout=0.1)),
    "causal": lambda: attend(layers.MultiHeadAttention(2, 3), use_causal_mask=True),
    "masked": lambda: attend(
        layers.MultiHeadAttention(2, 3), attention_mask=np.tri(6, dtype=bool)[None]
    ),
    "cross attention": lambda: Cross(),
    "GroupQueryAttention": lambda: attend(layers.GroupQueryAttention(3, 4, 2)),
    "Attention": lambda: lambda x: layers.Attention(use_scale=True)([x, x]),
    "causal Attention": lambda: (
        lambda x: layers.Attention()([x, x], use_causal_mask=True)
    ),
    "concat Attention": lambda: lambda x: layers.Attention(score_mode="concat")([x, x]),
    "AdditiveAttention": lambda: lambda x: layers.AdditiveAttention()([x, x]),
    "LSTM": lambda: layers.LSTM(3, return_sequences=True),
    "GRU": lambda: layers.GRU(3, reset_after=False, return_sequences=True),
    "Bidirectional": lambda: layers.Bidirectional(
        layers.GRU(3, return_sequences=True), merge_mode="mul"
    ),
    "TimeDistributed": lambda: layers.TimeDistributed(
        keras.Sequential([layers.Dense(5, activation="gelu"), layers.Dense(2)])
    ),
    "Conv1D": lambda: layers.Conv1D(3, 2, padding="causal", dilation_rate=2),
    "Conv1DTranspose": lambda: layers.Conv1DTranspose(3, 2, strides=2),
    "SeparableConv1D": lambda: layers.SeparableConv1D(3, 3, depth_multiplier=2),
    "DepthwiseConv1D": lambda: layers.DepthwiseConv1D(3, activation="silu"),
    "windows": lambda: Shifted(),
    "EinsumDense": lambda: layers.EinsumDense("bti,tij->btj", (6, 3), bias_axes="tj"),
    "BatchNormalization of tokens": lambda: layers.BatchNormalization(axis=1),
    "LayerNormalization of both": lambda: layers.LayerNormalization(axis=(1, 2)),
    "UnitNormalization": lambda: layers.UnitNormalization(),
    "Softmax over tokens": lambda: layers.Softmax(axis=1),
    "log_softmax": lambda: layers.Activation("log_softmax"),
    "glu": lambda: keras.activations.glu,
    "PReLU": lambda: layers.PReLU("normal"),
    "logsumexp": lambda: lambda x: ops.logsumexp(x, axis=1, keepdims=True),
    "std": lambda: lambda x: ops.std(x, axis=1, keepdims=True),
    "var": lambda: lambda x: ops.var(x, axis=-1, keepdims=True),
    "abs": lambda: ops.abs,
    "power": lambda: lambda x: x**2 + x**3,
    "where": lambda: lambda x: ops.where(np.arange(4) > 1, x, 0.5 * x + 1),
    "clip": lambda: lambda x: ops.clip(x, -0.5, 0.8),
    "a gate and its rest": lambda: lambda x: (1 - ops.sigmoid(x)) * ops.tanh(x + 1),
    "rational": lambda: lambda x: x / (1 + ops.square(x)),
    "largest and smallest": lambda: (
        lambda x: ops.maximum(ops.minimum(x, 0.7), ops.flip(x, axis=1))
    ),
    "joined with a constant": lambda: (
        lambda x: ops.concatenate([x, ops.ones((2, 1, 4))[:1] + 0 * x[:, :1]], axis=1)
    ),
    "dot": lambda: lambda x: layers.Dot(axes=(2, 2))([x, ops.flip(x, axis=1)]),
    "einsum": lambda: lambda x: ops.einsum("bti,bsi->bts", x, x),
    "cumulated": lambda: lambda x: ops.cumsum(x, axis=1),
}
IMAGES = {  # (8, 8, 3)
    "Resizing": lambda: layers.Resizing(5, 12),
    "CenterCrop": lambda: layers.CenterCrop(5, 6),
    "conv": lambda: lambda x: ops.conv(x, np.ones((2, 2, 3, 2), "f4") / 5, 2, "same"),
    "depthwise": lambda: lambda x: ops.depthwise_conv(x, np.ones((2, 2, 3, 1), "f4")),
    "separable": lambda: (
        lambda x: ops.separable_conv(
            x, np.ones((2, 2, 3, 1), "f4"), np.ones((1, 1, 3, 4), "f4")
        )
    ),
    "AveragePooling2D": lambda: layers.AveragePooling2D(3, padding="same"),
    "MaxPooling2D": lambda: layers.MaxPooling2D(3, 2, padding="same"),
    "UpSampling2D": lambda: layers.UpSampling2D(2, interpolation="bilinear"),
    "resize": lambda: lambda x: ops.image.resize(x, (5, 6)),
    "GroupNormalization": lambda: layers.GroupNormalization(3),
    "SpectralNormalization": lambda: layers.SpectralNormalization(layers.Conv2D(3, 3)),
    "Conv2DTranspose": lambda: layers.Conv2DTranspose(2, 3, strides=2),
}
VOLUMES = {  # (4, 6, 6, 1): slices of a CT
    "Conv3D": lambda: layers.Conv3D(2, 3, activation="relu"),
    "TimeDistributed slices": lambda: (
        lambda x: layers.TimeDistributed(
            keras.Sequential(
                [layers.Conv2D(2, 3, activation="relu"), layers.GlobalMaxPooling2D()]
            )
        )(x)
    ),
    "MaxPooling3D": lambda: layers.MaxPooling3D(2),
    "ConvLSTM2D": lambda: layers.ConvLSTM2D(2, 3),
}
