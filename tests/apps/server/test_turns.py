"""Questions are let in a few at once, visitor by visitor, the newest of a page."""

import asyncio

import pytest

from medattn_app.server.turns import CROWDED, SUPERSEDED, NoTurn, Turns


class Asking:
    """Asks for turns, and records who was let in and who was refused."""

    def __init__(self, turns):
        self.turns, self.served, self.refused = turns, [], []
        self.running = self.most = 0

    async def ask(self, visitor, session="1", kind="answer"):
        try:
            async with self.turns.turn((visitor, session), kind):
                self.running += 1
                self.most = max(self.most, self.running)
                await asyncio.sleep(0.01)
                self.running -= 1
                self.served.append((visitor, session, kind))
        except NoTurn as error:
            self.refused.append((visitor, str(error)))


def run(turns, *asked):
    """Asks all at once, in this order."""

    async def together():
        asking = Asking(turns)
        tasks = []
        for one in asked:
            tasks.append(asyncio.create_task(asking.ask(*one)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        return asking

    return asyncio.run(asyncio.wait_for(together(), 30))


def test_so_many_are_let_in_at_once_and_no_more():
    asking = run(Turns(3, 3, 100), *[("a", str(n)) for n in range(9)])
    assert asking.most == 3 and len(asking.served) == 9


def test_one_address_never_takes_every_place():
    flood = [("flood", str(n)) for n in range(20)]
    asking = run(Turns(2, 1, 100), ("learner", "0"), *flood, ("learner", "1"))
    assert ("learner", "1", "answer") in asking.served[:4]
    assert len(asking.served) == 22


def test_a_class_behind_one_address_has_every_place_while_nobody_else_asks():
    now = [0.0]
    turns = Turns(3, 1, 100, lambda: now[0])
    assert run(turns, ("other", "1")).most == 1
    pupils = [("class", str(n)) for n in range(9)]
    assert run(turns, *pupils).most == 1
    now[0] = 61.0
    assert run(turns, *pupils).most == 3


def test_of_one_page_the_newest_question_of_a_kind_waits():
    asking = run(Turns(1, 1, 100), ("b",), *[("a",)] * 500, ("a", "1", "picture"))
    kinds = [one[2] for one in asking.served if one[0] == "a"]
    assert kinds.count("picture") == 1 and 1 <= kinds.count("answer") < 50
    assert asking.refused == [("a", SUPERSEDED)] * (501 - len(kinds))


def test_where_too_many_wait_the_greediest_is_refused():
    flood = [("flood", str(n)) for n in range(12)]
    asking = run(Turns(1, 1, 8), *flood, *[(name,) for name in "abc"])
    assert {visitor for visitor, _ in asking.refused} == {"flood"}
    assert {text for _, text in asking.refused} == {CROWDED}
    assert {one[0] for one in asking.served} == {"flood", "a", "b", "c"}


@pytest.mark.parametrize("started", [False, True])
def test_who_leaves_gives_the_place_back(started):
    async def leave():
        turns = Turns(1, 1, 4)
        first = asyncio.create_task(Asking(turns).ask("a", "1"))
        await asyncio.sleep(0)
        second = asyncio.create_task(Asking(turns).ask("a", "2"))
        await asyncio.sleep(0)
        (first if started else second).cancel()
        await asyncio.sleep(0.05)
        async with asyncio.timeout(1), turns.turn(("b", "1"), "answer"):
            return True

    assert asyncio.run(leave())
