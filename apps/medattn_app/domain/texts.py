"""The words of the page in two languages, read from YAML: texts, glossary, tooltips.

Texts lie in `texts/*.yaml` and in each tab's folder: a key, and under it the text in
each language. What stands in braces is filled in: `words(key, block="SE")`.
"""

import string
from collections.abc import Mapping
from functools import lru_cache
from html import escape
from pathlib import Path

import yaml

APP = Path(__file__).parents[1]
LANGUAGES: Mapping[str, str] = {"en": "English", "pt": "Português"}
DEFAULT_LANGUAGE = "en"


class Words:
    """The texts of the page in one language.

    Args:
        language: A key of `LANGUAGES`.
    """

    def __init__(self, language: str = DEFAULT_LANGUAGE):
        if language not in LANGUAGES:
            raise ValueError(
                f"Unknown language {language!r}. Expected one of {list(LANGUAGES)}. "
                f"Received: lang={language!r}"
            )
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """Gives one text, as it is: whoever puts it into HTML escapes the values.

        Args:
            key: Its key in the YAML files.
            **values: What replaces the names in braces.
        """
        texts = read_texts()
        if key not in texts:
            raise ValueError(
                f"There is no text {key!r}. Expected a key of a file in texts/. "
                f"Received: key={key!r}"
            )
        text = texts[key][self.language]
        return text.format(**values) if values else text

    def glossary(self) -> dict[str, tuple[str, str]]:
        """Returns a dict from each term's key to its name and its one sentence."""
        terms = {key: both[self.language] for key, both in read_terms().items()}
        return {key: (name, sentence) for key, (name, sentence) in terms.items()}

    def term(self, key: str, shown: str | None = None) -> str:
        """Writes a term as HTML that explains itself: by mouse, finger or keyboard.

        Args:
            key: Of the glossary.
            shown: What is written instead of the term's own name.
        """
        name, sentence = self._term(key)
        return (
            f'<span class="ma-term" tabindex="0">{escape(shown or name)}'
            f'<span class="ma-tip" role="tooltip">{escape(sentence)}</span></span>'
        )

    def tip(self, key: str) -> str:
        """Gives a term's sentence as plain text, for an `info` line."""
        return self._term(key)[1]

    def _term(self, key: str) -> list[str]:
        terms = read_terms()
        if key not in terms:
            raise ValueError(
                f"There is no term {key!r}. Expected one of {sorted(terms)}. "
                f"Received: key={key!r}"
            )
        return terms[key][self.language]


def blanks(text: str) -> list[str]:
    """Lists the names in braces of a text, sorted."""
    return sorted({name for _, name, _, _ in string.Formatter().parse(text) if name})


@lru_cache(maxsize=1)
def read_texts() -> dict[str, dict[str, str]]:
    """Reads every text of the page: a dict from key to a dict from language to text."""
    texts: dict[str, dict[str, str]] = {}
    for path in sorted(APP.rglob("*.yaml")):
        if path.stem == "glossary":
            continue
        for key, both in yaml.safe_load(path.read_text("utf-8")).items():
            if key in texts:
                raise ValueError(
                    f"The text {key!r} is defined twice. Expected each key in one "
                    f"file. Received: {path.name}"
                )
            texts[key] = both
    return texts


@lru_cache(maxsize=1)
def read_terms() -> dict[str, dict[str, list[str]]]:
    """Reads the glossary: a dict from key to language to [name, sentence]."""
    return yaml.safe_load((APP / "texts" / "glossary.yaml").read_text("utf-8"))
