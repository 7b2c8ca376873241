"""The page's analyzers: at once when first asked, compiled when asked again."""

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

POSITIVE = 1  # the logit that is explained: "diseased", "malignant", "effusion"
COMPILED = 2  # analyzers that are compiled beside the default, of up to 40 MB each
KEPT = 28  # analyzers in all
ASKED = 24  # answers step by step before an analyzer is compiled
SLOW = 0.03  # seconds of one such answer, below which it is not worth it
QUIET, PATIENCE = 1.0, 15.0  # seconds without a question before that, and at most


@dataclass
class Entry:
    """An analyzer, and what became of it.

    Attributes:
        key: What it is kept under.
        analyzer: Itself, or the `ValueError` that making it raised.
        asked: How often.
        stays: Whether it is kept whatever else is asked for.
        is_compiled: Whether it is.
    """

    key: tuple
    analyzer: object
    asked: int = 0
    stays: bool = False
    is_compiled: bool = False


def account(analyzer, batch):
    """Asks an analyzer for all that it says of a batch.

    Returns:
        `(maps, ledger, logits)`; ledger and logits are None of an analyzer that keeps
        no books.
    """
    if hasattr(analyzer, "account"):
        return analyzer.account(batch, POSITIVE)
    maps = analyzer.analyze(batch, POSITIVE)
    audit = getattr(analyzer, "audit", None)
    return maps, None if audit is None else audit(batch, POSITIVE), None


class Analyzers:
    """Makes analyzers, keeps the last ones, and compiles those that are in use.

    Compiling takes one to seven seconds of a micro network, an answer step by step a
    tenth of one: so a learner who tries a method gets an answer at once, and a class
    that stays with it gets it ten times as fast a little later. One thread compiles,
    when nobody asks, without the locks of questions: what it computes is thrown away.

    What is compiled is never given up for another: TensorFlow keeps the gradients of a
    graph, and with them the graph, until the process ends. So it is only a few.
    """

    def __init__(self):
        self._entries = OrderedDict()
        self._lock = threading.Lock()
        self._waiting, self._working, self._left = [], None, COMPILED
        self._resting, self._last = threading.Event(), 0.0

    def get(self, key, make):
        """Returns the `Entry` of a key, made now if it is not there.

        Raises:
            ValueError: What `make` raised, now or before: it is not tried again.
        """
        with self._lock:
            entry = self._entries.get(key)
        if entry is None:
            try:
                entry = Entry(key, make())
            except ValueError as error:  # not to be tried again for every image
                entry = Entry(key, error)
        with self._lock:
            entry = self._entries.setdefault(key, entry)
            self._entries.move_to_end(key)
            others = [e.key for e in self._entries.values() if not e.stays]
            for old in others[: max(0, len(self._entries) - KEPT)]:
                del self._entries[old]
        if isinstance(entry.analyzer, ValueError):
            raise entry.analyzer
        return entry

    def account(self, entry, pixels):
        """Asks in the quickest way there is now, see the function `account`."""
        from medattn.explain import run_eagerly

        start = time.monotonic()
        with run_eagerly(unless_compiled=True):
            found = account(entry.analyzer, pixels[None])
        self._last = time.monotonic()
        if self._last - start < SLOW:
            return found
        with self._lock:
            entry.asked += 1
            often = entry.asked == ASKED and not entry.stays
            if often and self._left and not self._resting.is_set():
                entry.stays, self._left = True, self._left - 1
                self._waiting.append((entry, pixels))
                if self._working is None:
                    # No daemon: TensorFlow must not be compiling when Python ends.
                    self._working = threading.Thread(target=self._compile_all)
                    self._working.start()
        return found

    def compile(self, entry, pixels):
        """Compiles an analyzer, now.

        Args:
            entry: As `get` gives it.
            pixels: An image.
        """
        entry.stays = True
        account(entry.analyzer, pixels[None])
        entry.is_compiled = True

    def rest(self):
        """Compiles nothing more; waits for what is being compiled."""
        self._resting.set()
        self.wait()

    def wait(self):
        """Waits until all is compiled that was asked often enough."""
        while (working := self._working) is not None:
            working.join()

    def _compile_all(self):
        while True:
            self._wait_for_quiet()
            with self._lock:
                if self._resting.is_set() or not self._waiting:
                    self._working = None
                    return
                entry, pixels = self._waiting.pop(0)
            try:
                self.compile(entry, pixels)
            except Exception:  # it goes on answering step by step
                logging.getLogger(__name__).exception("Not compiled: %s", entry.key)

    def _wait_for_quiet(self):
        end = time.monotonic() + PATIENCE
        while (now := time.monotonic()) < min(self._last + QUIET, end):
            if self._resting.wait(min(self._last + QUIET, end) - now):
                return
