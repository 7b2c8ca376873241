"""What a network answers about an image, and the cache of answers."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from medattn_app.domain.cells import Cell
from medattn_app.domain.labels import Titled, library_sentence
from medattn_app.domain.methods import METHODS
from medattn_app.domain.texts import Words

MAX_CACHED_BYTES = 32 * 2**20
BYTES_WITHOUT_MAP = 2048  # of an answer, roughly


@dataclass(frozen=True)
class Answer:
    """What one network predicts for one image, and why.

    Attributes:
        cell: The network; a model of the host's is no `Cell` but has a title, too.
        probability: Of the positive class, in [0, 1].
        logit: Of the positive class; the map explains it.
        relevance: What each pixel contributed, `(64, 64)`, in the method's unit; None
            if the method cannot read this network.
        audit: The conservation audit, as `analyzer.audit` gives it for one image
            (floats, in logits), or None where the method has none.
        audit_line: The audit in English words, or None; in the page's language it is
            `labels.audit_text`'s.
        quality: Measures of the map against the evidence, by name: `mass` (the fraction
            of relevance inside), `pointing` (1 if the strongest pixel lies inside);
            empty without evidence or map.
        refused: Why there is no map, in an English sentence, or None; in the page's
            language it is `refusal`'s.
        method: Name of the analyzer.
    """

    cell: Cell | Titled
    probability: float
    logit: float
    relevance: np.ndarray | None = None
    audit: dict[str, float] | None = None
    audit_line: str | None = None
    quality: dict[str, float] = field(default_factory=dict)
    refused: str | None = None
    method: str = ""

    @property
    def nbytes(self) -> int:
        """Its size in memory, roughly."""
        map_bytes = 0 if self.relevance is None else self.relevance.nbytes
        return BYTES_WITHOUT_MAP + map_bytes


class AnswerCache:
    """The answers given last, up to a number of bytes.

    Args:
        max_bytes: The oldest answers are dropped beyond it.
    """

    def __init__(self, max_bytes: int = MAX_CACHED_BYTES):
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()
        self._bytes, self._max_bytes = 0, max_bytes
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Answer | None:
        """Returns the answer of a key; None if it is not cached."""
        with self._lock:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def add(self, key: Hashable, answer: Answer) -> None:
        """Caches an answer; drops the oldest ones beyond the limit."""
        with self._lock:
            if key not in self._answers:
                self._bytes += answer.nbytes
            self._answers[key] = answer
            while self._bytes > self._max_bytes and len(self._answers) > 1:
                _, oldest = self._answers.popitem(last=False)
                self._bytes -= oldest.nbytes

    def clear(self) -> None:
        """Drops all answers."""
        with self._lock:
            self._answers.clear()
            self._bytes = 0


def refusal(answer: Answer, words: Words) -> str | None:
    """Says why an answer has no map; None if there is one."""
    method, cell = METHODS.get(answer.method), answer.cell
    if answer.refused and method is not None and isinstance(cell, Cell):
        if not method.can_read(cell):
            return method.what_is_missing(cell, words)
    return library_sentence(answer.refused, words)
