"""Which networks are shipped, and what their studies recorded of them."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import (
    ATTENTION,
    BACKBONES,
    DATASETS,
    INITIALISATIONS,
    REGIMES,
    SELF_ATTENTION,
    SHORTCUTS,
)
from medattn_app.domain.texts import Words


@lru_cache(maxsize=1)
def shipped() -> dict[Cell, dict[str, Any]]:
    """Returns the records of all shipped networks that the page can show, by `Cell`."""
    from medattn.zoo import list_zoo_models

    designs = {
        prefix + name: (backbone, attention)
        for backbone, name in BACKBONES.items()
        for attention, prefix in ATTENTION.items()
        if backbone != "DeiT"
    }
    designs[BACKBONES["DeiT"]] = "DeiT", SELF_ATTENTION
    found = {}
    for record in list_zoo_models(plain=False):
        trial = record["trial"]
        known = (
            trial["model"] in designs
            and trial["dataset"] in DATASETS
            and trial["regime"] in REGIMES
            and trial["initialisation"] in INITIALISATIONS
            and trial["shortcut"] in SHORTCUTS.values()
        )
        if known:
            rest = ("regime", "seed", "initialisation", "shortcut")
            cell = Cell(
                trial["dataset"],
                *designs[trial["model"]],
                **{key: trial[key] for key in rest},
            )
            found[cell] = record
    return found


class NotShipped(ValueError):
    """A network was requested that is not shipped.

    Attributes:
        wanted: The `Cell`.
    """

    def __init__(self, wanted: Cell):
        super().__init__(what_is_shipped(wanted, Words()))
        self.wanted = wanted


def what_is_shipped(wanted: Cell, words: Words) -> str:
    """Says, in three parts, what there is instead of a network that is not shipped."""
    cells = [cell for cell in shipped() if cell.dataset == wanted.dataset]
    kind = wanted.initialisation, wanted.shortcut
    alike = [c for c in cells if (c.initialisation, c.shortcut) == kind]
    if not alike:
        kinds = {(c.initialisation, c.shortcut): None for c in cells}
        offered = words("refused.kinds", kinds=list(kinds))
    else:
        networks = sorted({(c.backbone, c.attention) for c in alike})
        regimes = sorted({c.regime for c in alike})
        offered = words("refused.networks", networks=networks, regimes=regimes)
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
def seed_probabilities(cell: Cell, position: int) -> tuple[float, ...]:
    """Reads what networks of all seeds predicted for a test image.

    Args:
        cell: A `Cell`; its seed does not count.
        position: Index of the image in the test set.

    Returns:
        One probability of the positive class a seed; see
        `medattn.study.read_chances`.
    """
    from medattn.study import read_chances

    record = shipped().get(cell, {})
    options = {key: value for key, value in cell.zoo_options.items() if key != "seed"}
    found = read_chances(
        position, model=cell.model_name, study=record.get("study", "micro"), **options
    )
    return tuple(found.values())


def architectures() -> list[str]:
    """Lists the models that a cell can have."""
    return [
        prefix + name
        for backbone, name in BACKBONES.items()
        for prefix in (ATTENTION.values() if backbone != "DeiT" else [""])
    ]


def one_of_each(cells: Iterable[Cell]) -> list[Cell]:
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
    found: dict[str, Cell] = {}
    for cell in order:
        found.setdefault(cell.model_name, cell)
    return list(found.values())
