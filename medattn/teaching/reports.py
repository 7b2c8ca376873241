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


def word_numbers(texts):
    """Numbers the words of reports.

    Args:
        texts: A list of texts of the words in `WORDS`.

    Returns:
        `(texts, LONGEST)`, int32, each filled up with `<end>`.
    """
    rows = np.zeros((len(texts), LONGEST), "int32")
    for row, text in zip(rows, texts, strict=True):
        words = text.split()
        if len(words) >= LONGEST or not set(words) <= set(WORDS):
            raise ValueError(
                f"This is no report. Expected fewer than {LONGEST} words of "
                f"{list(WORDS[2:])}. Received: {text!r}"
            )
        row[: len(words)] = [WORDS.index(word) for word in words]
    return rows


def read_words(numbers):
    """Turns numbers back into a text, up to its end."""
    words = []
    for number in numbers:
        if number == WORDS.index("<end>"):
            break
        words.append(WORDS[number])
    return " ".join(words)
