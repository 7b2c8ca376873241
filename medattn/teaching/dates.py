"""Written dates and their standard form: a small language to learn to translate."""

import numpy as np

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august",
    "september", "october", "november", "december",
)  # fmt: skip
WRITTEN = " abcdefghijklmnopqrstuvwxyz0123456789,"  # place 0, the space, also fills up
STANDARD = "0123456789->"  # the last one starts a translation
LONGEST = 18  # "september 28, 2021"


def draw_dates(count, *, seed=0):
    """Draws dates, written in one of two ways, and their standard form.

    Args:
        count: How many.
        seed: Of the draw.

    Returns:
        Two lists of texts: `"3 march 2021"` or `"march 3, 2021"`, and `"2021-03-03"`.
    """
    rng = np.random.default_rng(seed)
    written, standard = [], []
    for _ in range(count):
        year, month = int(rng.integers(1950, 2050)), int(rng.integers(1, 13))
        day, way = int(rng.integers(1, 29)), rng.random() < 0.5
        name = MONTHS[month - 1]
        written.append(f"{day} {name} {year}" if way else f"{name} {day}, {year}")
        standard.append(f"{year}-{month:02d}-{day:02d}")
    return written, standard


def letters(texts, alphabet, length):
    """Numbers the letters of texts.

    Args:
        texts: A list of texts.
        alphabet: The letters, each numbered by its place.
        length: Letters in a row; shorter texts are filled up with place 0.

    Returns:
        `(texts, length)`, int32.
    """
    rows = np.zeros((len(texts), length), "int32")
    for row, text in zip(rows, texts, strict=True):
        if len(text) > length or not set(text) <= set(alphabet):
            raise ValueError(
                f"This text cannot be numbered. Expected at most {length} letters of "
                f"{alphabet!r}. Received: {text!r}"
            )
        row[: len(text)] = [alphabet.index(letter) for letter in text]
    return rows
