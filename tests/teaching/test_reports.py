"""Reports of chest films agree with the evidence, and encoded words can be decoded."""

import pytest

from medattn.teaching.reports import LONGEST, read_words, report_texts, word_numbers


def test_a_report_names_the_side_of_the_evidence():
    from medattn.data import draw_images

    synthetic = draw_images("chest", range(60))
    texts = report_texts(synthetic)
    for text, evidence, label in zip(
        texts, synthetic["evidence"], synthetic["label"], strict=True
    ):
        assert (text == "no effusion") == (label == 0)
        if label and "and" not in text:
            left = evidence[:, :32].sum() / evidence.sum()  # a few may cross the middle
            assert left > 0.8 if text.endswith("left") else left < 0.2
    rows = word_numbers(texts)
    assert rows.shape == (60, LONGEST)
    assert [read_words(row) for row in rows] == texts
    with pytest.raises(ValueError, match="cannot be encoded"):
        word_numbers(["huge effusion left"])
