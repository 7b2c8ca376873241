"""Attention blocks as ordinary Keras 3 layers."""

from medattn.layers.attention import AttentionLayer, Gate
from medattn.layers.cbam import CBAM, ChannelAttention, SpatialAttention
from medattn.layers.self_attention import MultiHeadSelfAttention
from medattn.layers.squeeze_excite import SqueezeExcite

__all__ = [
    "AttentionLayer",
    "CBAM",
    "ChannelAttention",
    "Gate",
    "MultiHeadSelfAttention",
    "SpatialAttention",
    "SqueezeExcite",
]
