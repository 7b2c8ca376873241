"""Attention blocks as ordinary Keras 3 layers."""

from medattn.layers.attention import AttentionLayer, Gate
from medattn.layers.bahdanau import BahdanauAttention
from medattn.layers.bam import BAM
from medattn.layers.cbam import CBAM, ChannelAttention, SpatialAttention
from medattn.layers.coordinate import CoordinateAttention
from medattn.layers.eca import EfficientChannelAttention
from medattn.layers.global_context import GlobalContext
from medattn.layers.hard import HardAttention
from medattn.layers.luong import LuongAttention
from medattn.layers.luong_local import LuongLocalAttention
from medattn.layers.self_attention import MultiHeadSelfAttention
from medattn.layers.sequence import SequenceAttention
from medattn.layers.soft import SoftAttention
from medattn.layers.squeeze_excite import SqueezeExcite
from medattn.layers.taxonomy import TAXONOMY, list_layers

__all__ = [
    "AttentionLayer",
    "BAM",
    "BahdanauAttention",
    "CBAM",
    "ChannelAttention",
    "CoordinateAttention",
    "EfficientChannelAttention",
    "Gate",
    "GlobalContext",
    "HardAttention",
    "LuongAttention",
    "LuongLocalAttention",
    "MultiHeadSelfAttention",
    "SequenceAttention",
    "SoftAttention",
    "SpatialAttention",
    "SqueezeExcite",
    "TAXONOMY",
    "list_layers",
]
