"""Which shipped networks the page compares side by side."""

from medattn_app.domain.cells import Cell, cell_id, shortcut_key
from medattn_app.domain.constants import (
    ATTENTION,
    REGIMES,
    SELF_ATTENTION,
    SHORTCUTS,
)
from medattn_app.domain.state import Question
from medattn_app.service.networks import NetworkService

Row = tuple[str, str]  # backbone and attention
Column = float | str  # a regime, or a key of `SHORTCUTS`
Cells = dict[tuple[Row, Column], Cell]


def varied_networks(service: NetworkService, dataset: str) -> list[str]:
    """Lists the ids of a data set's networks that are not plain, of seed 0."""
    cells = service.networks(dataset, plain=False)
    return [cell_id(c) for c in cells if c.seed == 0 and not c.is_plain]


def comparison_grid(
    service: NetworkService, question: Question
) -> tuple[list[Row], list[Column], Cells]:
    """Lists what the grid compares: the backbone with every block, and the DeiT.

    All its networks have the same kind of initial weights. Columns are the fractions of
    the data; where a shortcut was planted, its correlation with the label, as the study
    compares them.

    Args:
        service: The `NetworkService`.
        question: A `Question`.

    Returns:
        `(rows, columns, cells)`: rows are pairs of backbone and attention, columns are
        regimes or keys of `SHORTCUTS`, cells a dict from both to the `Cell`s that are
        shipped.
    """
    planted = question.shortcut != "none"
    shipped = {
        (
            c.backbone,
            c.attention,
            shortcut_key(c.shortcut) if planted else c.regime,
        ): c
        for c in service.networks(question.dataset, plain=False)
        if (c.seed, c.initialisation) == (question.seed, question.initialisation)
        and planted == (c.shortcut is not None)
        and (c.regime == question.regime or not planted)
    }
    known: list[Column] = list(SHORTCUTS) if planted else list(REGIMES)
    backbone = question.backbone if question.backbone != "DeiT" else "ResNet"
    rows = [(backbone, block) for block in ATTENTION] + [("DeiT", SELF_ATTENTION)]
    rows = [row for row in rows if any(key[:2] == row for key in shipped)]
    cells = {
        (row, column): shipped[(*row, column)]
        for row in rows
        for column in known
        if (*row, column) in shipped
    }
    columns = [column for column in known if any(c == column for _, c in cells)]
    return rows, columns, cells
