"""The question on the page, to and from a query string: validated and bounded."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypedDict
from urllib.parse import urlencode

from medattn_app.domain.constants import (
    ATTENTION,
    BACKBONES,
    DATASETS,
    HIDEABLE,
    INITIALISATIONS,
    MAX_IMAGES,
    MAX_QUERY_CHARACTERS,
    MAX_SEEDS,
    REFERENCES,
    REGIMES,
    SHORTCUTS,
    TABS,
)
from medattn_app.domain.methods import METHODS


class Kind(TypedDict):
    """How a network was trained, besides data and design."""

    initialisation: str
    shortcut: float | None


@dataclass(frozen=True)
class Question:
    """Everything that a learner can choose on the page.

    Attributes:
        dataset: A name in `DATASETS`.
        image: Index in the strip of images, from 0.
        backbone: A key of `BACKBONES`.
        attention: A key of `ATTENTION`; a DeiT has its own and ignores it.
        regime: A key of `REGIMES`.
        method: A name of `medattn_app.domain.methods.METHODS`.
        reference: What DeepLIFT compares with, a name in `REFERENCES`.
        seed: Seed of the trial that trained the network.
        initialisation: Its initial weights, a name in `INITIALISATIONS`.
        shortcut: How a planted mark correlates with the label, a key of `SHORTCUTS`.
        hide: Names of `HIDEABLE` that the page does not show.
        lang: Language of the page.
        tab: The tab that is open, a name of `TABS`.
    """

    dataset: str = "fundus"
    image: int = 0
    backbone: str = "ResNet"
    attention: str = "CBAM"
    regime: float = 1.0
    method: str = "lrp.epsilon"
    reference: str = "zeros"
    seed: int = 0
    initialisation: str = "random"
    shortcut: str = "none"
    hide: tuple[str, ...] = ()
    lang: str = "en"
    tab: str = "explore"

    def __post_init__(self) -> None:
        choices: dict[str, Any] = {
            "dataset": DATASETS,
            "backbone": BACKBONES,
            "attention": ATTENTION,
            "regime": REGIMES,
            "method": METHODS,
            "reference": REFERENCES,
            "initialisation": INITIALISATIONS,
            "shortcut": SHORTCUTS,
            "tab": TABS,
        }
        for name, known in choices.items():
            value = getattr(self, name)
            if isinstance(value, bool | list | dict) or value not in known:
                raise ValueError(
                    f"There is no such {name}. Expected one of {list(known)}. "
                    f"Received: {_short(value)}"
                )
        for name, bound in (("image", MAX_IMAGES), ("seed", MAX_SEEDS)):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value < bound:
                raise ValueError(
                    f"There is no such {name}. Expected a whole number from 0 to "
                    f"{bound - 1}. Received: {_short(value)}"
                )
        if not set(self.hide) <= set(HIDEABLE):
            raise ValueError(
                f"This cannot be hidden. Expected some of {list(HIDEABLE)}. "
                f"Received: {_short(self.hide)}"
            )
        if not (isinstance(self.lang, str) and self.lang.isalpha()) or len(
            self.lang
        ) not in (2, 3):
            raise ValueError(
                "There is no such language. Expected two or three letters, such as "
                f"'en'. Received: {_short(self.lang)}"
            )

    @property
    def kind(self) -> Kind:
        """How its network was trained, besides data and design."""
        return Kind(
            initialisation=self.initialisation, shortcut=SHORTCUTS[self.shortcut]
        )


def method_options(question: Question) -> dict[str, object]:
    """Returns the options in which the page's analyzer differs from the default."""
    options = dict(METHODS[question.method].options)
    if question.method.startswith("deep_lift"):
        options["reference"] = question.reference
    return options


def read_question(choices: object) -> Question:
    """Makes a `Question` of what a page or an endpoint sent.

    Args:
        choices: A dict from the names of `Question`'s fields to their values, in
            JSON's types. Fields that are left out take their defaults.

    Returns:
        A `Question`.

    Raises:
        ValueError: If a field or a value is unknown.
    """
    if not isinstance(choices, dict):
        raise ValueError(
            "This is not a question. Expected a dict of the page's choices. Received: "
            f"{_short(choices)}"
        )
    names = [field.name for field in fields(Question)]
    unknown = sorted(str(name) for name in set(choices) - set(names))
    if unknown:
        raise ValueError(
            f"There is no such choice on the page. Expected some of {names}. "
            f"Received: {_short(unknown)}"
        )
    given = dict(choices)
    if "hide" in given:
        if not isinstance(given["hide"], list | tuple) or len(given["hide"]) > 40:
            raise ValueError(
                "What to hide is a list of names. Expected some of "
                f"{list(HIDEABLE)}. Received: {_short(given['hide'])}"
            )
        given["hide"] = tuple(str(name) for name in given["hide"])
    if type(given.get("regime")) is int:
        given["regime"] = float(given["regime"])
    return Question(**given)


def read_query(parameters: Mapping[str, str]) -> tuple[Question, list[str]]:
    """Reads a query string, and leaves out what cannot be read.

    A link that is old, or was typed wrongly, still opens the page.

    Args:
        parameters: A mapping from names to texts, such as `request.query_params`.

    Returns:
        `(question, refused)`: a `Question`, and a list of one sentence for each
        parameter that was left out.
    """
    given: dict[str, object] = {}
    refused = []
    kinds = {field.name: type(field.default) for field in fields(Question)}
    for name, text in list(dict(parameters).items())[: 2 * len(kinds)]:
        if name not in kinds or name.startswith("__"):
            continue  # Gradio and hosts add their own
        try:
            value = _value(kinds[name], str(text)[:MAX_QUERY_CHARACTERS])
            read_question({name: value})
        except ValueError as error:
            refused.append(f"The link's {name} was left out. {error}")
        else:
            given[name] = value
    return read_question(given), refused


def write_query(question: Question) -> str:
    """Writes what differs from the default as a query string, without the `?`."""
    default = asdict(Question())
    changed = {
        name: ",".join(value) if name == "hide" else value
        for name, value in asdict(question).items()
        if value != default[name]
    }
    if "regime" in changed:
        changed["regime"] = f"{changed['regime']:g}"
    return urlencode(changed)


def _value(kind: type, text: str) -> object:
    if kind is tuple:
        return [name for name in text.split(",") if name]
    if kind is int:
        if not text.isascii() or not text.isdigit() or len(text) > 6:
            raise ValueError(
                f"Expected a whole number from 0. Received: {_short(text)}"
            )
        return int(text)
    if kind is float:
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"Expected a number. Received: {_short(text)}") from None
    return text


def _short(value: object) -> str:
    """Writes what came, at most forty characters of it."""
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
