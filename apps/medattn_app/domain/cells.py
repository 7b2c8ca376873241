"""The shipped networks as cells of the page's grid, and which of them there are."""

from dataclasses import dataclass
from functools import lru_cache

from medattn_app.domain.state import (
    ATTENTION,
    BACKBONES,
    DATASETS,
    INITIALISATIONS,
    REGIMES,
    SHORTCUTS,
)
from medattn_app.service.texts import Words

OWN = "self"  # the attention of a DeiT, whatever the knob says


@dataclass(frozen=True)
class Cell:
    """One shipped network: a cell of the grid.

    Attributes:
        dataset: What it was trained on.
        backbone: A key of `BACKBONES`.
        attention: A key of `ATTENTION`, or `"self"` of a DeiT.
        regime: The share of the training data that it saw.
        seed: Of its trial.
        initialisation: What it began from, a name in `INITIALISATIONS`.
        shortcut: Correlation with the label of the mark on its training images, or
            None.
    """

    dataset: str
    backbone: str
    attention: str
    regime: float
    seed: int = 0
    initialisation: str = "random"
    shortcut: float | None = None

    @property
    def model_name(self):
        """The name that `medattn.zoo.load_zoo_model` takes."""
        return ATTENTION.get(self.attention, "") + BACKBONES[self.backbone]

    @property
    def is_plain(self):
        """Whether it began from random weights and saw no planted mark."""
        return self.initialisation == "random" and self.shortcut is None

    @property
    def title(self):
        """What it is called in English, for endpoints and in errors."""
        return self.title_in(Words())

    def title_in(self, words):
        """What the page calls it, such as `"ResNet with CBAM, 10 % of the data"`."""
        block = {"none": "explore.without", OWN: "explore.with_own"}.get(self.attention)
        title = words(
            "explore.network",
            backbone=self.backbone,
            block=words(block)
            if block
            else words("explore.with", attention=self.attention),
            share=REGIMES[self.regime],
        )
        if self.initialisation != "random":
            title += f", {words(f'explore.start_{self.initialisation}')}"
        if self.shortcut is not None:
            title += f", {words('explore.taught', rho=f'{self.shortcut:g}')}"
        return title

    @property
    def which(self):
        """What `load_zoo_model` is told besides the name, a dict."""
        return dict(
            dataset=self.dataset,
            regime=self.regime,
            seed=self.seed,
            initialisation=self.initialisation,
            shortcut=self.shortcut,
        )

    @property
    def code(self):
        """The call of Python that loads it; what is as by default is left out."""
        said = f'"{self.model_name}", dataset="{self.dataset}", regime={self.regime:g}'
        if self.seed:
            said += f", seed={self.seed}"
        if self.initialisation != "random":
            said += f', initialisation="{self.initialisation}"'
        if self.shortcut is not None:
            said += f", shortcut={self.shortcut:g}"
        return f"load_zoo_model({said})"


@lru_cache(maxsize=1)
def shipped():
    """Returns the records of all shipped networks that the page can show, by `Cell`."""
    from medattn.zoo import list_zoo_models

    places = {
        prefix + name: (backbone, attention)
        for backbone, name in BACKBONES.items()
        for attention, prefix in ATTENTION.items()
        if backbone != "DeiT"
    }
    places[BACKBONES["DeiT"]] = "DeiT", OWN
    found = {}
    for record in list_zoo_models(plain=False):
        trial = record["trial"]
        known = (
            trial["model"] in places
            and trial["dataset"] in DATASETS
            and trial["regime"] in REGIMES
            and trial["initialisation"] in INITIALISATIONS
            and trial["shortcut"] in SHORTCUTS.values()
        )
        if known:
            rest = ("regime", "seed", "initialisation", "shortcut")
            cell = Cell(
                trial["dataset"],
                *places[trial["model"]],
                **{key: trial[key] for key in rest},
            )
            found[cell] = record
    return found


class NotShipped(ValueError):
    """A network was asked for that is not shipped.

    Attributes:
        wanted: The `Cell`.
    """

    def __init__(self, wanted):
        super().__init__(what_is_shipped(wanted, Words()))
        self.wanted = wanted


def what_is_shipped(wanted, words):
    """Says, in three parts, what there is instead of a network that is not shipped.

    Args:
        wanted: A `Cell`.
        words: The texts.
    """
    mine = [cell for cell in shipped() if cell.dataset == wanted.dataset]
    kind = wanted.initialisation, wanted.shortcut
    alike = [c for c in mine if (c.initialisation, c.shortcut) == kind]
    if not alike:
        kinds = {(c.initialisation, c.shortcut): None for c in mine}
        offered = words("refused.kinds", kinds=list(kinds))
    else:
        there = sorted({(c.backbone, c.attention) for c in alike})
        regimes = sorted({c.regime for c in alike})
        offered = words("refused.networks", networks=there, regimes=regimes)
    return words(
        "refused.not_shipped",
        title=wanted.title_in(words),
        dataset=wanted.dataset,
        offered=offered,
        regime=wanted.regime,
        seed=wanted.seed,
        start=wanted.initialisation,
        shortcut=wanted.shortcut,
    )


@lru_cache(maxsize=4096)
def seed_chances(cell, position):
    """Reads what networks of all seeds said about a test image, see `read_chances`."""
    from medattn.study import read_chances

    record = shipped().get(cell, {})
    which = {key: value for key, value in cell.which.items() if key != "seed"}
    chances = read_chances(
        position, model=cell.model_name, study=record.get("study", "micro"), **which
    )
    return tuple(chances.values())


def architectures():
    """Lists the models that a cell can have."""
    return [
        prefix + name
        for backbone, name in BACKBONES.items()
        for prefix in (ATTENTION.values() if backbone != "DeiT" else [""])
    ]


def one_of_each(cells):
    """Picks one cell of every architecture; what the page opens with comes first."""
    order = sorted(
        cells,
        key=lambda c: (
            not c.is_plain,
            c.seed,
            c.backbone != "ResNet",
            c.attention != "CBAM",
            c.backbone != "DeiT",
            -c.regime,
        ),
    )
    found = {}
    for cell in order:
        found.setdefault(cell.model_name, cell)
    return list(found.values())
