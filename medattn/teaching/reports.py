"""Reports of drawn chest films: a sentence for each, and its words as numbers."""

import numpy as np

SIZES = ("small", "medium", "large")
SIDES = ("left", "right")  # of the picture
WORDS = ("<end>", "<start>", "no", "effusion", "and", *SIZES, *SIDES)
LONGEST = 8  # "small effusion left and large effusion right", and the end


def report_texts(drawn):
    """Writes what was drawn into each film.

    Args:
        drawn: What `medattn.data.draw_images("chest", ...)` returned.

    Returns:
        A list of texts, such as `"no effusion"` or `"small effusion left"`.
    """
    wet, volume = drawn["params"]["wet"], drawn["params"]["volume"]
    texts = []
    for sides, sizes in zip(wet, volume, strict=True):
        found = [
            f"{SIZES[int(size)]} effusion {side}"
            for side, here, size in zip(SIDES, sides, sizes, strict=True)
            if here
        ]
        texts.append(" and ".join(found) or "no effusion")
    return texts


def word_numbers(texts, language=WORDS, longest=LONGEST):
    """Numbers the words of texts.

    Args:
        texts: A list of texts of the words in `language`.
        language: All words; the first two are `<end>` and `<start>`.
        longest: Words in a row, the end among them.

    Returns:
        `(texts, longest)`, int32, each filled up with `<end>`.
    """
    rows = np.zeros((len(texts), longest), "int32")
    for row, text in zip(rows, texts, strict=True):
        words = text.split()
        if len(words) >= longest or not set(words) <= set(language):
            raise ValueError(
                f"This text cannot be numbered. Expected fewer than {longest} words "
                f"of {list(language[2:])}. Received: {text!r}"
            )
        row[: len(words)] = [language.index(word) for word in words]
    return rows


def read_words(numbers, language=WORDS):
    """Turns numbers back into a text, up to its end."""
    words = []
    for number in numbers:
        if number == language.index("<end>"):
            break
        words.append(language[number])
    return " ".join(words)
