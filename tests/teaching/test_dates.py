"""Written dates: the same for one seed, and encoded letters can be decoded."""

import pytest

from medattn.teaching.dates import LONGEST, WRITTEN, draw_dates, letters


def test_one_seed_gives_the_same_dates_and_letters_can_be_decoded():
    written, standard = draw_dates(50, seed=3)
    assert (written, standard) == draw_dates(50, seed=3)
    assert any(text[0].isdigit() for text in written)
    assert any(text[0].isalpha() for text in written)
    rows = letters(written, WRITTEN, LONGEST)
    decoded = "".join(WRITTEN[number] for number in rows[0]).rstrip()
    assert decoded == written[0] and standard[0][:4] in decoded
    with pytest.raises(ValueError, match="cannot be encoded"):
        letters(["3 März 2021"], WRITTEN, LONGEST)
