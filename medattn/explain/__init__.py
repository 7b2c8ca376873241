"""Explanations: a model rewritten so that its gradient is its explanation."""

from medattn.explain.analyzers import ANALYZERS, create_analyzer, list_analyzers
from medattn.explain.audit import audit_line
from medattn.explain.quality import edge_map, relevance_mass

__all__ = [
    "ANALYZERS",
    "audit_line",
    "create_analyzer",
    "edge_map",
    "list_analyzers",
    "relevance_mass",
]
