"""The words of the page, in two languages: texts as data, a glossary, tooltips.

Texts lie in `texts/*.yaml`, one file a tab: a key, and under it the text in each
language. What stands in braces is filled in: `words(key, block="SE")`.
"""

import string
from functools import lru_cache
from html import escape
from pathlib import Path

import yaml

APP = Path(__file__).parents[1]
LANGUAGES = {"en": "English", "pt": "Português"}
FIRST = "en"


class Words:
    """The texts of the page in one language.

    Args:
        language: A key of `LANGUAGES`.
    """

    def __init__(self, language=FIRST):
        if language not in LANGUAGES:
            raise ValueError(
                f"Unknown language {language!r}. Expected one of {list(LANGUAGES)}. "
                f"Received: lang={language!r}"
            )
        self.language = language

    def __call__(self, key, **values):
        """Gives one text, as it is: whoever puts it into HTML escapes the values.

        Args:
            key: Its key in `texts/*.yaml`.
            **values: What stands for the names in braces.
        """
        table = read_texts()
        if key not in table:
            raise ValueError(
                f"There is no text {key!r}. Expected a key of a file in texts/. "
                f"Received: key={key!r}"
            )
        text = table[key][self.language]
        return text.format(**values) if values else text

    def glossary(self):
        """Returns a dict from each term's key to its name and its one sentence."""
        return {key: tuple(both[self.language]) for key, both in read_terms().items()}

    def term(self, key, shown=None):
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

    def tip(self, key):
        """Gives a term's sentence as plain text, for an `info` line."""
        return self._term(key)[1]

    def _term(self, key):
        terms = read_terms()
        if key not in terms:
            raise ValueError(
                f"There is no term {key!r}. Expected one of {sorted(terms)}. "
                f"Received: key={key!r}"
            )
        return terms[key][self.language]


def blanks(text):
    """Lists the names in braces of a text, sorted."""
    return sorted({name for _, name, _, _ in string.Formatter().parse(text) if name})


@lru_cache(maxsize=1)
def read_texts():
    """Reads every text of the page: a dict from key to a dict from language to text."""
    table = {}
    for path in sorted(APP.rglob("*.yaml")):
        if path.stem == "glossary":
            continue
        for key, both in yaml.safe_load(path.read_text("utf-8")).items():
            if key in table:
                raise ValueError(
                    f"The text {key!r} stands twice. Expected each key in one file. "
                    f"Received: {path.name}"
                )
            table[key] = both
    return table


@lru_cache(maxsize=1)
def read_terms():
    """Reads the glossary: a dict from key to language to [name, sentence]."""
    return yaml.safe_load((APP / "texts" / "glossary.yaml").read_text("utf-8"))
