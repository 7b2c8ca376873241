"""The page's analyzers: not compiled at first, compiled when used again and again."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

POSITIVE = 1  # the logit that is explained: "diseased", "malignant", "effusion"
MAX_ANALYZERS = 28  # that are kept
MAX_COMPILED = 2  # beside the default, of up to 40 MB each
ANSWERS_BEFORE_COMPILING = 24
SLOW_SECONDS = 0.03  # of an answer, below which compiling is not worth it
IDLE_SECONDS = 1.0  # without a question, before an analyzer is compiled
MAX_WAIT_SECONDS = 15.0  # for such a pause

# Maps, audit, logits; the last two are None of an analyzer that has no audit.
Explanation = tuple[np.ndarray, dict[str, np.ndarray] | None, np.ndarray | None]


@dataclass
class Entry:
    """An analyzer that is kept.

    Attributes:
        key: What it is kept under.
        analyzer: Itself, or the `ValueError` that creating it raised.
        answers: How many slow answers it has given.
        pinned: Whether it is kept whatever else is needed.
        is_compiled: Whether it is.
    """

    key: Hashable
    analyzer: Any
    answers: int = 0
    pinned: bool = False
    is_compiled: bool = False


def explain_batch(analyzer: Any, batch: np.ndarray) -> Explanation:
    """Computes all that an analyzer knows of a batch, in one pass where it can.

    Args:
        analyzer: Of `medattn.explain.create_analyzer`.
        batch: `(batch, height, width, 3)`.

    Returns:
        `(maps, audit, logits)`; audit and logits are None where it has no audit.
    """
    if hasattr(analyzer, "analyze_and_audit"):
        return analyzer.analyze_and_audit(batch, POSITIVE)
    maps = analyzer.analyze(batch, POSITIVE)
    audit = getattr(analyzer, "audit", None)
    return maps, None if audit is None else audit(batch, POSITIVE), None


class Analyzers:
    """Creates analyzers, keeps the last ones, and compiles those that are in use.

    Compiling takes one to seven seconds for a micro network, an answer without it a
    tenth of one: so a learner who tries a method gets an answer at once, and a class
    that stays with it gets it ten times as fast a little later. One thread compiles
    when no question comes, without the locks of questions: what it computes is thrown
    away.

    What is compiled is never dropped for another: TensorFlow keeps the gradients of a
    graph, and with them the graph, until the process ends. So it is only a few.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._waiting: list[tuple[Entry, np.ndarray]] = []
        self._compiling: threading.Thread | None = None
        self._compilations_left = MAX_COMPILED
        self._stopping, self._last_answer = threading.Event(), 0.0

    def get(self, key: Hashable, create: Callable[[], Any]) -> Entry:
        """Returns the `Entry` of a key, created now if there is none.

        Raises:
            ValueError: What `create` raised, now or before: it is not tried again.
        """
        with self._lock:
            entry = self._entries.get(key)
        if entry is None:
            try:
                entry = Entry(key, create())
            except ValueError as error:  # not to be tried again for every image
                entry = Entry(key, error)
        with self._lock:
            entry = self._entries.setdefault(key, entry)
            self._entries.move_to_end(key)
            others = [e.key for e in self._entries.values() if not e.pinned]
            for old in others[: max(0, len(self._entries) - MAX_ANALYZERS)]:
                del self._entries[old]
        if isinstance(entry.analyzer, ValueError):
            raise entry.analyzer
        return entry

    def explain(self, entry: Entry, pixels: np.ndarray) -> Explanation:
        """Explains one image in the quickest way there is now; see `explain_batch`.

        Args:
            entry: As `get` returns it.
            pixels: `(height, width, 3)`.
        """
        from medattn.explain import run_eagerly

        start = time.monotonic()
        with run_eagerly(unless_compiled=True):
            found = explain_batch(entry.analyzer, pixels[None])
        self._last_answer = time.monotonic()
        if self._last_answer - start < SLOW_SECONDS:
            return found
        with self._lock:
            entry.answers += 1
            due = entry.answers == ANSWERS_BEFORE_COMPILING and not entry.pinned
            if due and self._compilations_left and not self._stopping.is_set():
                entry.pinned = True
                self._compilations_left -= 1
                self._waiting.append((entry, pixels))
                if self._compiling is None:
                    # No daemon: TensorFlow must not be compiling when Python ends.
                    self._compiling = threading.Thread(target=self._compile_all)
                    self._compiling.start()
        return found

    def compile(self, entry: Entry, pixels: np.ndarray) -> None:
        """Compiles an analyzer, now.

        Args:
            entry: As `get` returns it.
            pixels: An image, `(height, width, 3)`.
        """
        entry.pinned = True
        explain_batch(entry.analyzer, pixels[None])
        entry.is_compiled = True

    def stop(self) -> None:
        """Compiles nothing more; waits for what is being compiled."""
        self._stopping.set()
        self.wait()

    def wait(self) -> None:
        """Waits until all is compiled that was due."""
        while (compiling := self._compiling) is not None:
            compiling.join()

    def _compile_all(self) -> None:
        while True:
            self._wait_until_idle()
            with self._lock:
                if self._stopping.is_set() or not self._waiting:
                    self._compiling = None
                    return
                entry, pixels = self._waiting.pop(0)
            try:
                self.compile(entry, pixels)
            except Exception:  # it goes on answering without
                logging.getLogger(__name__).exception("Not compiled: %s", entry.key)

    def _wait_until_idle(self) -> None:
        end = time.monotonic() + MAX_WAIT_SECONDS
        while True:
            now, idle = time.monotonic(), min(self._last_answer + IDLE_SECONDS, end)
            if now >= idle or self._stopping.wait(idle - now):
                return
