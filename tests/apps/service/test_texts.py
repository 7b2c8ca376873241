"""Both languages say everything, with the same blanks; every term has one sentence."""

import re
from pathlib import Path

import pytest

from medattn_app.domain.texts import LANGUAGES, Words, blanks, read_terms, read_texts

APP = Path(__file__).parents[3] / "apps" / "medattn_app"
TEXT_KEY = re.compile(r"""\bwords\(\s*f?["']([a-z_.{}]+)["']""")
TERM_KEY = re.compile(r"""\bwords\.(?:term|tip)\(\s*["'](\w+)["']""")


def test_every_text_is_there_in_both_languages_with_the_same_blanks():
    table = read_texts()
    assert len(table) > 10
    for key, both in table.items():
        assert set(both) == set(LANGUAGES), key
        assert all(isinstance(text, str) for text in both.values()), key
        # One language alone may need no sentence: "the report is in English".
        assert any(text.strip() for text in both.values()), key
        assert len({tuple(blanks(text)) for text in both.values()}) == 1, key


def test_every_term_has_a_name_and_one_sentence_in_both_languages():
    for key, both in read_terms().items():
        assert set(both) == set(LANGUAGES), key
        for name, sentence in both.values():
            assert name and sentence.endswith("."), key
            assert not re.search(r"[.!?] [A-ZÀ-Ý]", sentence), f"{key}: one sentence"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_is_filled_in(language):
    words = Words(language)
    assert "{" not in words("page.question")
    assert words("page.warning") != Words("pt" if language == "en" else "en")(
        "page.warning"
    )


def test_portuguese_is_no_copy_of_english():
    same = {key for key, both in read_texts().items() if both["en"] == both["pt"]}
    bare = {key: re.sub(r"{[^}]*}", "", read_texts()[key]["en"]) for key in same}
    alike = {key for key, text in bare.items() if len(re.findall(r"[a-z]+", text)) > 3}
    assert alike == set()
    for key, both in read_terms().items():
        assert both["en"][1] != both["pt"][1], key


def test_every_text_and_term_that_the_code_uses_exists():
    for path in APP.rglob("*.py"):
        source = path.read_text()
        for key in TEXT_KEY.findall(source):
            if "{" not in key:
                assert key in read_texts(), f"{path.name}: {key}"
        for key in TERM_KEY.findall(source):
            assert key in read_terms(), f"{path.name}: {key}"


def test_a_term_explains_itself_without_a_mouse_and_is_escaped():
    html = Words().term("relevance", shown="<b>")
    assert 'tabindex="0"' in html and 'role="tooltip"' in html
    assert "&lt;b&gt;" in html and "<b>" not in html


def test_an_unknown_key_term_or_language_is_named():
    with pytest.raises(ValueError, match="no text 'nonsense'"):
        Words()("nonsense")
    with pytest.raises(ValueError, match="no term 'nonsense'"):
        Words().term("nonsense")
    with pytest.raises(ValueError, match="Unknown language 'de'"):
        Words("de")
