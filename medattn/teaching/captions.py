"""Captions of drawn moles: a sentence for each, and the pixels its words speak of."""

import numpy as np

from medattn.data.synthetic.common import evidence_of
from medattn.data.synthetic.dermoscopy.rendering import EVIDENCE

COLOURS = ("black", "red", "blue", "white")  # beyond the browns of any mole
WORDS = ("<end>", "<start>", "round", "lobed", "mole", "with", "and", *COLOURS)
LONGEST = 11  # "lobed mole with black and red and blue and white", and the end
SPOKEN_OF = dict.fromkeys(COLOURS, "colour") | {"lobed": "asymmetry"}


def caption_texts(drawn):
    """Writes what was drawn into each mole.

    Streaks, dots, regression and the border go untold: at 64 pixels they are thin.

    Args:
        drawn: What `medattn.data.draw_images("dermoscopy", ...)` returned.

    Returns:
        A list of texts, such as `"round mole"` or `"lobed mole with black and white"`.
    """
    lobed = drawn["params"]["asymmetry"] > 0
    painted = drawn["params"]["colour_radius"] > 0  # (moles, colours)
    texts = []
    for lobe, shown in zip(lobed, painted, strict=True):
        colours = " and ".join(np.array(COLOURS)[shown])
        texts.append(
            f"{'lobed' if lobe else 'round'} mole" + (f" with {colours}" * any(shown))
        )
    return texts


def word_evidence(drawn, word):
    """Tells of which pixels a word speaks.

    Args:
        drawn: What `medattn.data.draw_images("dermoscopy", ...)` returned.
        word: `"lobed"`: the pixels that lobe and bite changed; or a colour: those of
            all colours together, since patches overlap.

    Returns:
        A mask for each mole, `(moles, height, width)`, bool.

    Raises:
        ValueError: If the word speaks of no evidence.
    """
    if word not in SPOKEN_OF:
        raise ValueError(
            "This word speaks of no evidence. Expected one of "
            f"{list(SPOKEN_OF)}. Received: word={word!r}"
        )
    return evidence_of(drawn, EVIDENCE)[SPOKEN_OF[word]]
