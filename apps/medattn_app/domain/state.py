"""The question on the page, to and from a query string: validated and bounded."""

from dataclasses import asdict, dataclass, fields

DATASETS = ("fundus", "dermoscopy", "chest")
BACKBONES = {
    "ResNet": "micro_resnet",
    "DenseNet": "micro_densenet",
    "DeiT": "micro_deit",
}
ATTENTION = {"none": "", "SE": "se_", "CBAM": "cbam_"}
REGIMES = {0.01: "1 %", 0.1: "10 %", 0.5: "50 %", 1.0: "100 %"}
INITIALISATIONS = ("random", "shapes")
SHORTCUTS = {"none": None, "0": 0.0, "0.9": 0.9}  # correlations of a planted mark
REFERENCES = ("zeros", "mean", "blur")
IMAGES = 12  # in the strip of each data set, at most
SEEDS = 100
LONGEST = 600  # characters of a query string that are read at all
# What a teacher may take away with `hide=`: knobs, parts of the page, tabs.
KNOBS = ("dataset", "image", "backbone", "attention", "regime", "method", "more")
KNOBS += ("initialisation", "shortcut")
PARTS = ("upload", "truth", "grid", "sentence", "python")
TABS = ("explore", "inside", "predict", "doubt", "evidence", "lessons", "own")
HIDEABLE = (*KNOBS, *PARTS, *TABS)


@dataclass(frozen=True)
class Question:
    """Everything that a learner can choose on the page.

    Attributes:
        dataset: A name in `DATASETS`.
        image: Place in the strip of images, from 0.
        backbone: A key of `BACKBONES`.
        attention: A key of `ATTENTION`; a DeiT has its own and ignores it.
        regime: A key of `REGIMES`.
        method: A name of `medattn_app.domain.methods.METHODS`.
        reference: What DeepLIFT compares with, a name in `REFERENCES`.
        seed: Seed of the trial that trained the network.
        initialisation: What it began from, a name in `INITIALISATIONS`.
        shortcut: How a planted mark goes with the label, a key of `SHORTCUTS`.
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

    def __post_init__(self):
        from medattn_app.domain.methods import METHODS

        for name, known in (
            ("dataset", DATASETS),
            ("backbone", BACKBONES),
            ("attention", ATTENTION),
            ("regime", REGIMES),
            ("method", METHODS),
            ("reference", REFERENCES),
            ("initialisation", INITIALISATIONS),
            ("shortcut", SHORTCUTS),
            ("tab", TABS),
        ):
            value = getattr(self, name)
            if isinstance(value, bool | list | dict) or value not in known:
                raise ValueError(
                    f"There is no such {name}. Expected one of {list(known)}. "
                    f"Received: {_short(value)}"
                )
        for name, bound in (("image", IMAGES), ("seed", SEEDS)):
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
    def kind(self):
        """What sets its network apart besides data and design, for `Bench.cell`."""
        return {
            "initialisation": self.initialisation,
            "shortcut": SHORTCUTS[self.shortcut],
        }


def read_question(fields_given):
    """Makes a `Question` of what a page or an endpoint sent.

    Args:
        fields_given: A dict from the names of `Question`'s fields to their values, in
            JSON's types. Fields that are left out take their defaults.

    Returns:
        A `Question`.

    Raises:
        ValueError: If a field or a value is unknown.
    """
    if not isinstance(fields_given, dict):
        raise ValueError(
            "This is no question. Expected a dict of the page's choices. Received: "
            f"{_short(fields_given)}"
        )
    names = [field.name for field in fields(Question)]
    unknown = sorted(str(name) for name in set(fields_given) - set(names))
    if unknown:
        raise ValueError(
            f"There is no such choice on the page. Expected some of {names}. "
            f"Received: {_short(unknown)}"
        )
    given = dict(fields_given)
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


def read_query(parameters):
    """Reads a query string, and leaves out what cannot be read.

    A link that is old, or was typed wrongly, still opens the page.

    Args:
        parameters: A mapping from names to texts, such as `request.query_params`.

    Returns:
        `(question, refused)`: a `Question`, and a list of one sentence for each
        parameter that was left out.
    """
    given, refused = {}, []
    kinds = {field.name: type(field.default) for field in fields(Question)}
    for name, text in list(dict(parameters).items())[: 2 * len(kinds)]:
        if name not in kinds or name.startswith("__"):
            continue  # Gradio and hosts add their own
        try:
            value = _value(kinds[name], str(text)[:LONGEST])
            read_question({name: value})
        except ValueError as error:
            refused.append(f"The link's {name} was left out. {error}")
        else:
            given[name] = value
    return read_question(given), refused


def write_query(question):
    """Writes what differs from the default as a query string, without the `?`."""
    from urllib.parse import urlencode

    default = asdict(Question())
    changed = {
        name: ",".join(value) if name == "hide" else value
        for name, value in asdict(question).items()
        if value != default[name]
    }
    if "regime" in changed:
        changed["regime"] = f"{changed['regime']:g}"
    return urlencode(changed)


def _value(kind, text):
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


def _short(value):
    """Writes what came, at most forty characters of it."""
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
