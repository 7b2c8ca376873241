"""The image and the network that a chooser's values name, or a sentence why none."""

from medattn_app.domain.cases import Case
from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import (
    ATTENTION,
    BACKBONES,
    INITIALISATIONS,
    REGIMES,
    SHORTCUTS,
)
from medattn_app.service.networks import NetworkService

PLAIN = "random|none"  # the kind of training that the page opens with


def kind_key(initialisation: str, shortcut: str) -> str:
    """Names a kind of training by its initial weights and the key of its shortcut."""
    return f"{initialisation}|{shortcut}"


def chosen_cell(
    service: NetworkService,
    dataset: object,
    backbone: object,
    attention: object,
    regime: object,
    kind: object = PLAIN,
) -> Cell:
    """Finds the network that a visitor's choices name; they may be anything.

    Args:
        service: The page's `NetworkService`.
        dataset: Expected in `service.datasets()`.
        backbone: Expected a key of `BACKBONES`.
        attention: Expected a key of `ATTENTION`.
        regime: Expected a key of `REGIMES`.
        kind: Expected as of `kind_key`.

    Raises:
        ValueError: Says in a sentence what is wrong.
    """
    if not isinstance(dataset, str) or dataset not in service.datasets():
        raise ValueError(
            f"There is no such data set here. Expected one of {service.datasets()}. "
            f"Received: {str(dataset)[:40]!r}"
        )
    if not isinstance(backbone, str) or backbone not in BACKBONES:
        raise _unknown("backbone", backbone, list(BACKBONES))
    if not isinstance(attention, str) or attention not in ATTENTION:
        raise _unknown("attention", attention, list(ATTENTION))
    if type(regime) not in (int, float) or regime not in REGIMES:
        raise _unknown("regime", regime, list(REGIMES))
    initialisation, _, shortcut = str(kind).partition("|")
    if initialisation not in INITIALISATIONS or shortcut not in SHORTCUTS:
        raise ValueError(
            "There is no such kind of training. Expected initial weights and a "
            f"shortcut, such as {PLAIN!r}. Received: {str(kind)[:40]!r}"
        )
    return service.cell(
        dataset,
        backbone,
        attention,
        float(regime),  # type: ignore[arg-type]
        initialisation=initialisation,
        shortcut=SHORTCUTS[shortcut],
    )


def chosen_case(service: NetworkService, dataset: str, index: object) -> Case:
    """Finds an image of the strip.

    Args:
        service: The page's `NetworkService`.
        dataset: A name in `service.datasets()`.
        index: Expected a whole number from 0; it may be anything.

    Raises:
        ValueError: Says in a sentence what is wrong.
    """
    cases = service.cases(dataset)
    if type(index) is not int or not 0 <= index < len(cases):
        raise ValueError(
            f"There is no such image. Expected a number from 0 to {len(cases) - 1}. "
            f"Received: {str(index)[:40]!r}"
        )
    return cases[index]


def _unknown(name: str, value: object, known: list) -> ValueError:
    return ValueError(
        f"There is no such {name}. Expected one of {known}. "
        f"Received: {str(value)[:40]!r}"
    )
