"""Captions of moles describe the image, and their words have evidence."""

import numpy as np
import pytest

from medattn.teaching.captions import (
    COLOURS,
    LONGEST,
    WORDS,
    caption_texts,
    word_evidence,
)
from medattn.teaching.reports import read_words, word_numbers


def test_a_caption_describes_the_image_and_its_words_have_evidence():
    from medattn.data import draw_images

    synthetic = draw_images("dermoscopy", range(40))
    texts = caption_texts(synthetic)
    has_colour = synthetic["params"]["colour_radius"] > 0
    for text, present in zip(texts, has_colour, strict=True):
        assert [c in text.split() for c in COLOURS] == list(present)
    lobed = np.array(["lobed" in text for text in texts])
    changed = word_evidence(synthetic, "lobed").any(axis=(1, 2))
    np.testing.assert_array_equal(lobed, changed)
    coloured = word_evidence(synthetic, "red").any(axis=(1, 2))
    np.testing.assert_array_equal(has_colour.any(axis=1), coloured)
    assert lobed.any() and coloured.any() and not (lobed & coloured).all()
    rows = word_numbers(texts, WORDS, LONGEST)
    assert [read_words(row, WORDS) for row in rows] == texts
    longest = f"lobed mole with {' and '.join(COLOURS)}"
    assert len(longest.split()) + 1 == LONGEST
    with pytest.raises(ValueError, match="describes no evidence.*Received: word='m"):
        word_evidence(synthetic, "mole")
