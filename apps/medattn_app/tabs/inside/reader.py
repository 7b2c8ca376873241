"""Reads what a network's attention says about an image; compiles each reader once."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from medattn_app.domain.cases import Case
from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import SELF_ATTENTION, Network
from medattn_app.service.answers import Answer
from medattn_app.service.networks import NetworkService

EXPLAINER = "lrp.epsilon"  # of the map that is made afterwards
TOKENS = ("attention.rollout", "attention.transformer")
Gate = Literal["spatial", "channel"]
# Of gates, by the attention.
KINDS: dict[str, tuple[Gate, ...]] = {
    "SE": ("channel",),
    "CBAM": ("spatial", "channel"),
}
MAX_READERS = 12  # compiled ones
MAX_READ = 64  # images and networks that are cached


@dataclass(frozen=True)
class Attention:
    """What a network's attention says about an image.

    Attributes:
        answer: What the network answers, with the map made afterwards.
        spatial, channel: Scores of each gate, by its name, see
            `medattn.explain.gate_maps`; empty without such gates.
        heads: Of the class token, `(layers, heads, height, width)`; None without it.
        tokens: The answer of each analyzer in `TOKENS`, by its name; empty without it.
    """

    answer: Answer
    spatial: dict[str, np.ndarray] = field(default_factory=dict)
    channel: dict[str, np.ndarray] = field(default_factory=dict)
    heads: np.ndarray | None = None
    tokens: dict[str, Answer] = field(default_factory=dict)


class AttentionReader:
    """Reads the attention of shipped networks; an architecture is compiled once.

    Args:
        service: The page's `NetworkService`.
    """

    def __init__(self, service: NetworkService):
        self.service = service
        self._readers: OrderedDict[tuple[str, str], Callable[..., Any]] = OrderedDict()
        self._cached: OrderedDict[tuple[str, Cell], Attention] = OrderedDict()

    def read(self, case: Case, cell: Cell) -> Attention:
        """Reads everything that a network's attention says about an image."""
        key = case.key, cell
        if key not in self._cached:
            self._cached[key] = self._read(case, cell)
            while len(self._cached) > MAX_READ:
                self._cached.popitem(last=False)
        return self._cached[key]

    def _read(self, case: Case, cell: Cell) -> Attention:
        answer, batch = self.service.answer(case, cell, EXPLAINER), case.pixels[None]
        if cell.attention == SELF_ATTENTION:
            with self.service.loaded(cell) as model:
                heads = self._reader(cell, model, "heads")(batch)[0]
            tokens = {name: self.service.answer(case, cell, name) for name in TOKENS}
            return Attention(answer, heads=heads, tokens=tokens)
        found: dict[str, Any] = {}
        for kind in KINDS.get(cell.attention, ()):
            with self.service.loaded(cell) as model:
                scores = self._reader(cell, model, kind)(batch)
            found[kind] = {name: values[0] for name, values in scores.items()}
        return Attention(answer, **found)

    def _reader(
        self, cell: Cell, model: Network, kind: Gate | Literal["heads"]
    ) -> Callable[..., Any]:
        from medattn.explain import class_token_reader, gate_reader

        key = cell.model_name, kind
        if key not in self._readers:
            self._readers[key] = (
                class_token_reader(model)
                if kind == "heads"
                else gate_reader(model, kind=kind)
            )
            while len(self._readers) > MAX_READERS:
                self._readers.popitem(last=False)
        return self._readers[key]
