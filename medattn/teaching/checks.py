"""Automatic checks of the exercises; a hint helps without giving the solution."""

from collections.abc import Callable
from typing import Any

from medattn.teaching.answers import (
    captions,
    costs,
    evidence,
    gates,
    maps,
    questions,
    relevance,
    reports,
    segmentation,
    sequence,
    transformer,
    why,
)
from medattn.teaching.errors import NotYet, Solution

__all__ = ["CHECKS", "NotYet", "check"]

# The check of each exercise returns a sentence about the solution, or raises NotYet.
# Print the dict to see all exercises.
CHECKS: dict[str, Callable[[Solution], str]] = {
    "01.no_network": why.no_network,
    "01.occlusion": why.occlusion,
    "02.additive_scores": sequence.additive_scores,
    "02.local_scores": sequence.local_scores,
    "02b.hard_answer": captions.hard_answer,
    "02b.mass_in_mask": captions.mass_in_mask,
    "03.squeeze_excite": gates.squeeze_excite,
    "03.spatial_scores": gates.spatial_scores,
    "04.patches": transformer.patches,
    "04.attention_head": transformer.attention_head,
    "05.dice": segmentation.dice,
    "05.skip_scores": segmentation.skip_scores,
    "06.sides_right": reports.sides_right,
    "06.contrastive_loss": reports.contrastive_loss,
    "07.lrp_step": relevance.lrp_step,
    "07.rescale": relevance.rescale,
    "08.majority": evidence.majority,
    "08.paired_interval": evidence.paired_interval,
    "09.relevance_mass": maps.relevance_mass,
    "09.rank_correlation": maps.rank_correlation,
    "10.conv_multiply_adds": costs.conv_multiply_adds,
    "10.gate_parameters": costs.gate_parameters,
    "11.seeds_needed": questions.seeds_needed,
    "11.agreement": questions.agreement,
}


def check(name: str, value: Any) -> None:
    """Checks an exercise, and prints what the solution shows.

    Args:
        name: Name of the exercise, one of `CHECKS`, such as `"07.lrp_step"`.
        value: The function that the learner wrote.

    Raises:
        NotYet: If the solution is missing or wrong; the message ends with a hint.
        ValueError: If there is no such exercise.
    """
    if name not in CHECKS:
        raise ValueError(
            f"Unknown exercise {name!r}. Expected one of {list(CHECKS)}. "
            f"Received: name={name!r}"
        )
    if value is ...:
        raise NotYet("Nothing is written here yet. Replace the three dots.")
    print(f"✓ {name}: {CHECKS[name](value)}")
