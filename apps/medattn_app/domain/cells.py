"""One shipped network as a cell of the page's grid: its name, its title, its code."""

from dataclasses import dataclass
from typing import TypedDict

from medattn_app.domain.constants import (
    ATTENTION,
    BACKBONES,
    REGIMES,
    SELF_ATTENTION,
    SHORTCUTS,
)
from medattn_app.domain.texts import Words


class ZooOptions(TypedDict):
    """What `medattn.zoo.load_zoo_model` takes besides the name."""

    dataset: str
    regime: float
    seed: int
    initialisation: str
    shortcut: float | None


@dataclass(frozen=True)
class Cell:
    """One shipped network: a cell of the grid.

    Attributes:
        dataset: What it was trained on.
        backbone: A key of `BACKBONES`.
        attention: A key of `ATTENTION`, or `"self"` of a DeiT.
        regime: The fraction of the training data that it saw.
        seed: Of its trial.
        initialisation: Its initial weights, a name in `INITIALISATIONS`.
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
    def model_name(self) -> str:
        """The name that `medattn.zoo.load_zoo_model` takes."""
        return ATTENTION.get(self.attention, "") + BACKBONES[self.backbone]

    @property
    def is_plain(self) -> bool:
        """Whether it was trained from random weights on images without a mark."""
        return self.initialisation == "random" and self.shortcut is None

    @property
    def title(self) -> str:
        """What it is called in English, for endpoints and in errors."""
        return self.title_in(Words())

    def title_in(self, words: Words) -> str:
        """What the page calls it, such as `"ResNet with CBAM, 10 % of the data"`."""
        block = {"none": "explore.without", SELF_ATTENTION: "explore.with_own"}.get(
            self.attention
        )
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
    def zoo_options(self) -> ZooOptions:
        """What `medattn.zoo.load_zoo_model` takes besides the name."""
        return ZooOptions(
            dataset=self.dataset,
            regime=self.regime,
            seed=self.seed,
            initialisation=self.initialisation,
            shortcut=self.shortcut,
        )

    @property
    def code(self) -> str:
        """The call of Python that loads it; defaults are left out."""
        call = f'"{self.model_name}", dataset="{self.dataset}", regime={self.regime:g}'
        if self.seed:
            call += f", seed={self.seed}"
        if self.initialisation != "random":
            call += f', initialisation="{self.initialisation}"'
        if self.shortcut is not None:
            call += f", shortcut={self.shortcut:g}"
        return f"load_zoo_model({call})"


def cell_id(cell: Cell) -> str:
    """Names a cell on the page, such as `"ResNet|CBAM|0.1"`.

    The name of one that is not plain ends with its initialisation and its shortcut:
    `"ResNet|SE|1|random|0.9"`.
    """
    name = f"{cell.backbone}|{cell.attention}|{cell.regime:g}"
    if cell.is_plain:
        return name
    return f"{name}|{cell.initialisation}|{shortcut_key(cell.shortcut)}"


def shortcut_key(shortcut: float | None) -> str:
    """Finds the key of `SHORTCUTS` for a correlation."""
    return next(key for key, value in SHORTCUTS.items() if value == shortcut)
