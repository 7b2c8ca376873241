"""Attention blocks as ordinary Keras 3 layers."""

from medattn.layers.attention import AttentionLayer, Gate
from medattn.layers.bam import BAM
from medattn.layers.cbam import CBAM, ChannelAttention, SpatialAttention
from medattn.layers.coordinate import CoordinateAttention
from medattn.layers.eca import EfficientChannelAttention
from medattn.layers.global_context import GlobalContext
from medattn.layers.self_attention import MultiHeadSelfAttention
from medattn.layers.squeeze_excite import SqueezeExcite

__all__ = [
    "AttentionLayer",
    "BAM",
    "CBAM",
    "ChannelAttention",
    "CoordinateAttention",
    "EfficientChannelAttention",
    "Gate",
    "GlobalContext",
    "MultiHeadSelfAttention",
    "SpatialAttention",
    "SqueezeExcite",
]
