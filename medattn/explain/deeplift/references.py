"""Another reference for a DeepLIFT that is built already: nothing is compiled again."""

import copy
from typing import Any

import numpy as np

from medattn.explain.analyzer import Analyzer
from medattn.explain.deeplift.base import DeepLift


def with_reference(analyzer: Analyzer, reference: Any) -> DeepLift:
    """Returns a DeepLIFT analyzer that compares with another reference.

    It shares what the first has compiled, so that a slider can change the reference.

    Args:
        analyzer: A `deep_lift.rescale` or `deep_lift.reveal_cancel` analyzer; it stays
            as it is.
        reference: As the option of that name: `"zeros"`, `"mean"`, `"blur"`, an image
            `(height, width, channels)`, or several.

    Returns:
        An analyzer of the same kind.

    Raises:
        ValueError: If the analyzer has no reference, or this is none.
    """
    if not isinstance(analyzer, DeepLift):
        raise ValueError(
            "Only DeepLIFT compares with a reference. Expected an analyzer of "
            "'deep_lift.rescale' or 'deep_lift.reveal_cancel'. Received: "
            f"{type(analyzer).__name__}"
        )
    changed = copy.copy(analyzer)
    changed.reference = reference
    changed._checked_references = changed.check_reference()
    return changed


def reference_images(analyzer: DeepLift, images: np.ndarray) -> np.ndarray:
    """Shows what a DeepLIFT analyzer compares images with.

    Args:
        analyzer: As in `with_reference`.
        images: `(batch, height, width, channels)`, pixels in [0, 1].

    Returns:
        `(references, 1 or batch, height, width, channels)`.
    """
    images = np.asarray(images, np.float32)
    return np.stack([one for (one,) in analyzer.references([images])])
