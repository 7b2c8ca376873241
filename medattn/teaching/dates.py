"""Written dates and their standard form: a small language for a translator."""

from collections.abc import Sequence

import numpy as np

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august",
    "september", "october", "november", "december",
)  # fmt: skip
WRITTEN = " abcdefghijklmnopqrstuvwxyz0123456789,"  # index 0, the space, is the padding
STANDARD = "0123456789->"  # the last one starts a translation
LONGEST = 18  # "september 28, 2021"


def draw_dates(count: int, *, seed: int = 0) -> tuple[list[str], list[str]]:
    """Draws random dates, written in one of two ways, and their standard form.

    Args:
        count: Number of dates.
        seed: Seed of the random generator.

    Returns:
        Two lists of texts: `"3 march 2021"` or `"march 3, 2021"`, and `"2021-03-03"`.
    """
    rng = np.random.default_rng(seed)
    written, standard = [], []
    for _ in range(count):
        year, month = int(rng.integers(1950, 2050)), int(rng.integers(1, 13))
        day, day_first = int(rng.integers(1, 29)), rng.random() < 0.5
        name = MONTHS[month - 1]
        text = f"{day} {name} {year}" if day_first else f"{name} {day}, {year}"
        written.append(text)
        standard.append(f"{year}-{month:02d}-{day:02d}")
    return written, standard


def letters(texts: Sequence[str], alphabet: str, length: int) -> np.ndarray:
    """Encodes texts as the indices of their letters.

    Args:
        texts: A list of texts.
        alphabet: All letters; a letter's index is its position here.
        length: Letters in a row; shorter texts are padded with index 0.

    Returns:
        `(texts, length)`, int32.

    Raises:
        ValueError: If a text is too long, or has a letter that is not in the alphabet.
    """
    rows = np.zeros((len(texts), length), "int32")
    for row, text in zip(rows, texts, strict=True):
        if len(text) > length or not set(text) <= set(alphabet):
            raise ValueError(
                f"This text cannot be encoded. Expected at most {length} letters of "
                f"{alphabet!r}. Received: {text!r}"
            )
        row[: len(text)] = [alphabet.index(letter) for letter in text]
    return rows
