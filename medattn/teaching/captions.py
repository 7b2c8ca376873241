"""Captions of synthetic moles, and the pixels that their words describe."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from medattn.data.synthetic.common import evidence_by_kind
from medattn.data.synthetic.dermoscopy.rendering import EVIDENCE

COLOURS = ("black", "red", "blue", "white")  # besides brown, which every mole has
WORDS = ("<end>", "<start>", "round", "lobed", "mole", "with", "and", *COLOURS)
LONGEST = 11  # "lobed mole with black and red and blue and white", <end>
EVIDENCE_OF = dict.fromkeys(COLOURS, "colour") | {"lobed": "asymmetry"}


def caption_texts(synthetic: Mapping[str, Any]) -> list[str]:
    """Writes a caption of each mole.

    Streaks, dots, regression and the border are left out: at 64 pixels they are thin.

    Args:
        synthetic: What `medattn.data.draw_images("dermoscopy", ...)` returned.

    Returns:
        Texts such as `"round mole"` or `"lobed mole with black and white"`.
    """
    lobed = synthetic["params"]["asymmetry"] > 0
    coloured = synthetic["params"]["colour_radius"] > 0  # (moles, colours)
    texts = []
    for is_lobed, present in zip(lobed, coloured, strict=True):
        text = f"{'lobed' if is_lobed else 'round'} mole"
        if any(present):
            text += " with " + " and ".join(np.array(COLOURS)[present])
        texts.append(text)
    return texts


def word_evidence(synthetic: Mapping[str, Any], word: str) -> np.ndarray:
    """Returns the pixels that a word describes.

    Args:
        synthetic: What `medattn.data.draw_images("dermoscopy", ...)` returned.
        word: `"lobed"`: the pixels that the asymmetry of the outline changed; or a
            colour: those of all colours together, since patches overlap.

    Returns:
        A mask for each mole, `(moles, height, width)`, bool.

    Raises:
        ValueError: If the word describes no evidence.
    """
    if word not in EVIDENCE_OF:
        raise ValueError(
            "This word describes no evidence. Expected one of "
            f"{list(EVIDENCE_OF)}. Received: word={word!r}"
        )
    return evidence_by_kind(synthetic, EVIDENCE)[EVIDENCE_OF[word]]
