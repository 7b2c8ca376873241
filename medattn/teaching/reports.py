"""Reports of synthetic chest films: a sentence for each, and its words as indices."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

SIZES = ("small", "medium", "large")
SIDES = ("left", "right")  # of the picture
WORDS = ("<end>", "<start>", "no", "effusion", "and", *SIZES, *SIDES)
LONGEST = 8  # "small effusion left and large effusion right", <end>


def report_texts(synthetic: Mapping[str, Any]) -> list[str]:
    """Writes a report of each film.

    Args:
        synthetic: What `medattn.data.draw_images("chest", ...)` returned.

    Returns:
        Texts such as `"no effusion"` or `"small effusion left"`.
    """
    wet, volume = synthetic["params"]["wet"], synthetic["params"]["volume"]
    texts = []
    for wet_sides, sizes in zip(wet, volume, strict=True):
        found = [
            f"{SIZES[int(size)]} effusion {side}"
            for side, is_wet, size in zip(SIDES, wet_sides, sizes, strict=True)
            if is_wet
        ]
        texts.append(" and ".join(found) or "no effusion")
    return texts


def word_numbers(
    texts: Sequence[str], language: Sequence[str] = WORDS, longest: int = LONGEST
) -> np.ndarray:
    """Encodes texts as the indices of their words.

    Args:
        texts: A list of texts of the words in `language`.
        language: All words; the first two are `<end>` and `<start>`.
        longest: Words in a row, `<end>` included.

    Returns:
        `(texts, longest)`, int32, each padded with `<end>`.

    Raises:
        ValueError: If a text is too long, or has a word that is not in the language.
    """
    rows = np.zeros((len(texts), longest), "int32")
    for row, text in zip(rows, texts, strict=True):
        words = text.split()
        if len(words) >= longest or not set(words) <= set(language):
            raise ValueError(
                f"This text cannot be encoded. Expected fewer than {longest} words "
                f"of {list(language[2:])}. Received: {text!r}"
            )
        row[: len(words)] = [language.index(word) for word in words]
    return rows


def read_words(numbers: Iterable[int], language: Sequence[str] = WORDS) -> str:
    """Decodes indices of words into a text, up to `<end>`."""
    words: list[str] = []
    for number in numbers:
        if number == language.index("<end>"):
            break
        words.append(language[number])
    return " ".join(words)
