"""Another reference for a DeepLIFT that is built already: nothing is compiled again."""

import copy

from medattn.explain.deeplift.analyzers import DeepLiftRescale


def with_reference(analyzer, reference):
    """Returns a DeepLIFT analyzer that compares with another reference.

    It shares the compiled steps of the first, so that a slider can move the reference.

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
    if not isinstance(analyzer, DeepLiftRescale):
        raise ValueError(
            "Only DeepLIFT compares with a reference. Expected an analyzer of "
            "'deep_lift.rescale' or 'deep_lift.reveal_cancel'. Received: "
            f"{type(analyzer).__name__}"
        )
    moved = copy.copy(analyzer)
    moved.reference = reference
    moved._fixed = moved._checked_reference()
    return moved


def reference_images(analyzer, images):
    """Shows what a DeepLIFT analyzer compares images with.

    Args:
        analyzer: As in `with_reference`.
        images: `(batch, height, width, channels)`, pixels in [0, 1].

    Returns:
        `(references, 1 or batch, height, width, channels)`.
    """
    import numpy as np

    images = np.asarray(images, np.float32)
    return np.stack([one for (one,) in analyzer._references([images])])
