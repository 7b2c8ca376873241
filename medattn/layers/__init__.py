"""Attention blocks as ordinary Keras 3 layers."""

from medattn.layers.attention import AttentionLayer
from medattn.layers.cbam import CBAM, ChannelAttention, SpatialAttention
from medattn.layers.squeeze_excite import SqueezeExcite

__all__ = [
    "AttentionLayer",
    "CBAM",
    "ChannelAttention",
    "SpatialAttention",
    "SqueezeExcite",
]
