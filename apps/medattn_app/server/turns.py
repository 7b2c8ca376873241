"""Turns: how many questions are computed at once, and who comes next."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from medattn_app.service.fairness import Asker, Fairness, whom_to_refuse

ALONE_SECONDS = 60.0  # without anybody else's question
SUPERSEDED = "A newer question of the same page took the place of this one."
CROWDED = "Too many questions wait. Try again in a moment."


class NoTurn(Exception):
    """A question that is not answered; its text says why."""


@dataclass(eq=False)
class _Waiting:
    asker: Asker
    kind: str
    admitted: "asyncio.Future[None]" = field(repr=False)


class Turns:
    """Lets a few questions in at once; the others wait, visitor by visitor.

    Of one page, one question of a kind waits at most: the newest. Use it in one event
    loop.

    Args:
        at_once: Questions that are let in at once.
        of_a_visitor: Of those, how many may come from one address while others ask.
        waiting: Questions that may wait.
        clock: Returns seconds.
    """

    def __init__(
        self,
        at_once: int,
        of_a_visitor: int,
        waiting: int,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._at_once, self._of_a_visitor = at_once, of_a_visitor
        self._max_waiting = waiting
        self._running: list[Asker] = []
        self._waiting: list[_Waiting] = []
        self._fairness = Fairness()
        # The two visitors who asked last, and when: alone, one takes every place.
        self._latest: OrderedDict[str, float] = OrderedDict()
        self._clock = clock

    @asynccontextmanager
    async def turn(
        self, asker: Asker, kind: str, newest_wins: bool = True
    ) -> AsyncIterator[None]:
        """Waits for a turn, and keeps it inside the `async with`.

        Args:
            asker: The visitor and the session.
            kind: What is asked.
            newest_wins: Whether the same question that waits already is dropped.

        Raises:
            NoTurn: If a newer question came, or too many wait.
        """
        self._note(asker[0])
        if newest_wins:
            for other in [*self._waiting]:
                if (other.asker, other.kind) == (asker, kind):
                    self._drop(other, SUPERSEDED)
        if len(self._waiting) >= self._max_waiting:
            index = whom_to_refuse([one.asker for one in self._waiting], asker)
            if index is None:
                raise NoTurn(CROWDED)
            self._drop(self._waiting[index], CROWDED)
        mine = _Waiting(asker, kind, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        self._admit()
        try:
            await mine.admitted
        except asyncio.CancelledError:  # the visitor has gone
            if mine in self._waiting:
                self._waiting.remove(mine)
            elif mine.admitted.done() and not mine.admitted.cancelled():
                self._leave(asker)
            raise
        try:
            yield
        finally:
            self._leave(asker)

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            visitors = [visitor for visitor, _ in self._running]
            limit = self._at_once if self._is_alone() else self._of_a_visitor
            free = [
                one for one in self._waiting if visitors.count(one.asker[0]) < limit
            ]
            if not free:
                return
            chosen = free[self._fairness.choose([one.asker for one in free])]
            self._waiting.remove(chosen)
            self._running.append(chosen.asker)
            chosen.admitted.set_result(None)

    def _note(self, visitor: str) -> None:
        self._latest[visitor] = self._clock()
        self._latest.move_to_end(visitor)
        while len(self._latest) > 2:
            self._latest.popitem(last=False)

    def _is_alone(self) -> bool:
        """Whether only one visitor asked in the last minute."""
        now = self._clock()
        return sum(now - since < ALONE_SECONDS for since in self._latest.values()) < 2

    def _leave(self, asker: Asker) -> None:
        self._running.remove(asker)
        self._admit()

    def _drop(self, one: _Waiting, reason: str) -> None:
        self._waiting.remove(one)
        one.admitted.set_exception(NoTurn(reason))
