"""Visitors come in turn, however much one of them asks."""

from collections import Counter

import pytest

from medattn_app.service.fairness import Fairness, visitor_of, whom_to_refuse


@pytest.mark.parametrize(
    ("host", "visitor"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1%eth0", "2001:db8:1:2::/64"),
        (None, "None"),
        ("testclient", "testclient"),
    ],
)
def test_a_visitor_is_an_address_or_a_home_of_ipv6(host, visitor):
    assert visitor_of(host) == visitor


def test_a_flood_waits_behind_whoever_else_asks():
    fairness, order = Fairness(), []
    waiting = [("flood", f"session {n}") for n in range(50)] + [("a", "1"), ("b", "1")]
    while len(order) < 6:
        order.append(waiting.pop(fairness.choose(waiting)))
    assert [visitor for visitor, _ in order[:3]] == ["flood", "a", "b"]
    assert {visitor for visitor, _ in order[3:]} == {"flood"}


def test_pages_of_one_address_come_in_turn_too():
    fairness = Fairness()
    waiting = [("class", "ana")] * 9 + [("class", "bruno")] * 3
    first = []
    for _ in range(6):
        first.append(waiting.pop(fairness.choose(waiting))[1])
    assert Counter(first) == {"ana": 3, "bruno": 3}


def test_of_equals_the_first_comes_first():
    assert Fairness().choose([("a", "1"), ("b", "1"), ("a", "2")]) == 0


def test_who_has_most_questions_loses_the_oldest():
    waiting = [("a", "1"), ("flood", "1"), ("flood", "2"), ("flood", "3")]
    assert whom_to_refuse(waiting, ("b", "1")) == 1
    assert whom_to_refuse(waiting, ("a", "1")) == 1
    assert whom_to_refuse(waiting, ("flood", "4")) is None
    assert whom_to_refuse([("a", "1"), ("b", "1")], ("c", "1")) is None
