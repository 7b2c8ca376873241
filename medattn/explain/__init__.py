"""Explanations: a model rewritten so that its gradient is its explanation."""

from medattn.explain.api import ANALYZERS, create_analyzer, list_analyzers
from medattn.explain.attention.gates import gate_maps, gate_reader
from medattn.explain.attention.rollout import (
    attention_heads,
    class_token_maps,
    class_token_reader,
)
from medattn.explain.audit import audit_digits, audit_line, audit_terms
from medattn.explain.backend import run_eagerly
from medattn.explain.deeplift.references import reference_images, with_reference
from medattn.explain.gradient.neuron_visualisation import visualize_neuron
from medattn.explain.graph.registry import register_rule
from medattn.explain.metrics.deletion_curves import deletion, insertion
from medattn.explain.metrics.localisation import (
    area_gain,
    pointing_game,
    relevance_auc,
    relevance_mass,
    relevance_rank,
    shortcut_share,
)
from medattn.explain.metrics.pixel_maps import edge_map, pixel_map
from medattn.explain.metrics.regions import overlap, top_region
from medattn.explain.metrics.road import road
from medattn.explain.metrics.saco import saco
from medattn.explain.metrics.sanity_checks import randomisation_check
from medattn.explain.metrics.sensitivity import max_sensitivity
from medattn.explain.metrics.sparseness import sparseness
from medattn.explain.metrics.table import evaluate_maps, explainer, mean_rows

__all__ = [
    "ANALYZERS",
    "area_gain",
    "attention_heads",
    "audit_digits",
    "audit_line",
    "audit_terms",
    "class_token_maps",
    "class_token_reader",
    "create_analyzer",
    "deletion",
    "edge_map",
    "evaluate_maps",
    "explainer",
    "gate_maps",
    "gate_reader",
    "insertion",
    "list_analyzers",
    "max_sensitivity",
    "mean_rows",
    "overlap",
    "pixel_map",
    "pointing_game",
    "randomisation_check",
    "reference_images",
    "register_rule",
    "relevance_auc",
    "relevance_mass",
    "relevance_rank",
    "road",
    "run_eagerly",
    "saco",
    "shortcut_share",
    "sparseness",
    "top_region",
    "visualize_neuron",
    "with_reference",
]
