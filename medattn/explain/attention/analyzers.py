"""Attention read from the model, by the names of its analyzers."""

from medattn.explain.attention.gates import (
    ChannelGate,
    SpatialGate,
    gate_maps,
    gate_reader,
)
from medattn.explain.attention.tokens import (
    Rollout,
    TransformerAttribution,
    attention_heads,
    class_token_maps,
    class_token_reader,
)

__all__ = [
    "ATTENTION_ANALYZERS",
    "attention_heads",
    "class_token_maps",
    "class_token_reader",
    "gate_maps",
    "gate_reader",
]

ATTENTION_ANALYZERS = {
    "attention.rollout": Rollout,
    "attention.transformer": TransformerAttribution,
    "attention.spatial_gate": SpatialGate,
    "attention.channel_gate": ChannelGate,
}
