"""The attention methods, by the names of their analyzers."""

from medattn.explain.attention.gates import ChannelGate, SpatialGate
from medattn.explain.attention.reader import AttentionReader
from medattn.explain.attention.rollout import Rollout
from medattn.explain.attention.transformer import TransformerAttribution

ATTENTION_ANALYZERS: dict[str, type[AttentionReader]] = {
    "attention.rollout": Rollout,
    "attention.transformer": TransformerAttribution,
    "attention.spatial_gate": SpatialGate,
    "attention.channel_gate": ChannelGate,
}
