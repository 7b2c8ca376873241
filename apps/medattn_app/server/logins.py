"""Passwords are guessed slowly: after five wrong ones an address waits."""

import time
from collections import OrderedDict
from collections.abc import Callable

FREE = 5  # wrong passwords
WAIT, MAX_WAIT = 10.0, 600.0  # seconds after the fifth; doubled with each more
MAX_REMEMBERED = 10_000  # addresses


class Logins:
    """Counts the wrong passwords of each address.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._clock = clock

    def wait(self, visitor: str) -> float:
        """Returns the seconds until an address may try again."""
        count, last = self._wrong.get(visitor, (0, 0.0))
        if count < FREE:
            return 0.0
        pause = min(WAIT * 2.0 ** min(count - FREE, 16), MAX_WAIT)
        return max(0.0, last + pause - self._clock())

    def report(self, visitor: str, right: bool) -> None:
        """Takes note of a try."""
        if right:
            self._wrong.pop(visitor, None)
            return
        count, _ = self._wrong.get(visitor, (0, 0.0))
        self._wrong[visitor] = count + 1, self._clock()
        self._wrong.move_to_end(visitor)
        while len(self._wrong) > MAX_REMEMBERED:
            self._wrong.popitem(last=False)
