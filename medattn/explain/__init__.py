"""Explanations: a model rewritten so that its gradient is its explanation."""

from medattn.explain.analyzers import ANALYZERS, create_analyzer, list_analyzers
from medattn.explain.attention_maps import (
    attention_heads,
    class_token_maps,
    class_token_reader,
    gate_maps,
    gate_reader,
)
from medattn.explain.audit import audit_line
from medattn.explain.gradients import run_eagerly
from medattn.explain.neurons import visualize_neuron
from medattn.explain.quality import (
    area_gain,
    edge_map,
    pixel_map,
    pointing_game,
    relevance_auc,
    relevance_mass,
    relevance_rank,
    shortcut_share,
    sparseness,
)
from medattn.explain.quality_checks import max_sensitivity, randomisation_check
from medattn.explain.quality_curves import deletion, insertion
from medattn.explain.quality_regions import overlap, top_region
from medattn.explain.quality_table import evaluate_maps, explainer, mean_rows
from medattn.explain.references import reference_images, with_reference
from medattn.explain.steps import register_rule

__all__ = [
    "ANALYZERS",
    "area_gain",
    "attention_heads",
    "audit_line",
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
    "run_eagerly",
    "shortcut_share",
    "sparseness",
    "top_region",
    "visualize_neuron",
    "with_reference",
]
