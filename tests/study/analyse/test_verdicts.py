"""Five verdicts, derived a second time, and never against the interval beside them."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from medattn.study.analyse.contrasts import contrast_table
from medattn.study.analyse.results import SHIPPED, read_results
from medattn.study.analyse.statistics import (
    UNCONFIRMED,
    compare,
    decide,
    sentence,
    verdict,
)


def p_by_loops(d):
    """Counts the sign vectors whose absolute sum is as large."""
    sums = [
        abs(sum(s * x for s, x in zip(signs, d, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(d))
    ]
    return sum(one >= abs(sum(d)) - 1e-12 for one in sums) / len(sums)


def plain_verdict(d, family, rope=0.01):
    """Derives the verdict of one of several equal contrasts, from the words alone."""
    n = len(d)
    mean = sum(d) / n
    variance = sum((x - mean) ** 2 for x in d) / (n - 1)
    reach = t.ppf(0.975, n - 1) * math.sqrt(variance / n)
    low, high = mean - reach, mean + reach
    if abs(low) <= rope and abs(high) <= rope:
        return "practically the same"
    if low <= 0 <= high:
        return "cannot tell"
    # The others of the family cannot be answered: p = 1, so Holm multiplies by all.
    sure = min(1, family * p_by_loops(d)) <= 0.05
    return ("" if sure else "probably ") + ("better" if mean > 0 else "worse")


def test_verdicts_are_those_of_the_plain_derivation():
    rng, seen = np.random.default_rng(0), set()
    for _ in range(200):
        n = rng.integers(2, 10)
        d = rng.normal(rng.choice([0, 0.02, -0.05, 0.2]), rng.choice([0.003, 0.05]), n)
        one = compare(d, np.zeros(n), family=4)
        found = verdict(one, min(1.0, 4 * one.p))
        assert found == plain_verdict(list(d), 4)
        seen.add(found)
    assert len(seen) == 6


@pytest.mark.parametrize(
    ("low", "high", "p", "expected"),
    [
        (-0.009, 0.009, 1.0, "practically the same"),
        (0.001, 0.009, 0.001, "practically the same"),
        (-0.01, 0.01, 1.0, "practically the same"),
        (0.001, 0.011, 0.05, "better"),
        (-0.011, -0.001, 0.05, "worse"),
        (0.001, 0.011, 0.051, "probably better"),
        (-0.234, -0.193, 0.125, "probably worse"),
        (-0.001, 0.011, 0.001, "cannot tell"),
        (0.0, 0.3, 0.001, "cannot tell"),
        (float("nan"), float("nan"), 0.001, "cannot tell"),
    ],
)
def test_each_verdict_by_hand(low, high, p, expected):
    assert decide(low, high, p, 0.01) == expected


def test_twenty_points_with_an_interval_of_four_can_be_told():
    for p in (0.0001, 0.5, 1.0):
        assert decide(-0.22, -0.18, p, 0.01) in ("worse", "probably worse")
    table = contrast_table(read_results(SHIPPED / "micro.csv"))
    one = table["transformer − convolution"]
    assert one.verdict == "probably worse" and one.p_holm > 0.05
    assert UNCONFIRMED in sentence("transformer", one)


def test_no_shipped_verdict_contradicts_its_interval():
    for study in ("micro", "pretraining", "shortcut"):
        rows = read_results(SHIPPED / f"{study}.csv")
        for metric in ("auroc", "lrp.epsilon:relevance_mass", "lrp.epsilon:deletion"):
            for one in contrast_table(rows, metric).values():
                inside = -one.rope <= one.low and one.high <= one.rope
                zero = one.low <= 0 <= one.high
                assert (one.verdict == "practically the same") == inside
                if not inside:
                    assert (one.verdict == "cannot tell") == zero


def test_one_seed_has_no_interval_and_tells_nothing():
    one = compare([0.9], [0.5])
    assert math.isnan(one.low) and one.p == 1 and one.verdict == "cannot tell"
    assert "one seed has no interval" in sentence("SE − none", one)


def test_seeds_that_agree_exactly_have_an_interval_without_width():
    same = compare([0.8] * 6, [0.8] * 6)
    assert (same.low, same.high, same.verdict) == (0, 0, "practically the same")
    few, enough = (compare([0.9] * n, [0.8] * n) for n in (3, 6))
    assert (few.verdict, enough.verdict) == ("probably better", "better")
    assert enough.needed == 6


@pytest.mark.parametrize("first", [[0.9, float("nan")], [0.9, float("inf")]])
def test_a_number_that_is_not_finite_is_refused(first):
    with pytest.raises(ValueError, match="one finite number a seed"):
        compare(first, [0.8, 0.8])
    with pytest.raises(ValueError, match="at least one"):
        compare([], [])


def test_a_result_that_is_not_a_number_counts_as_missing():
    rows = read_results(SHIPPED / "pretraining.csv")
    first = rows[0]["seed"]
    lacking = [dict(r, auroc=math.nan) if r is rows[0] else r for r in rows]
    absent = [r for r in rows if r is not rows[0]]
    assert contrast_table(lacking) == contrast_table(absent)
    assert first in {r["seed"] for r in absent}


def test_a_huge_difference_needs_no_more_seeds_than_the_minimum():
    """Far beyond 80% the power of statsmodels is NaN; it used to count as too small."""
    d = -0.2 + np.array([0.001, -0.001, 0.002, -0.002, 0.001, -0.001])
    one = compare(d, np.zeros(6), family=4)
    assert one.needed == 8
    said = sentence("a − b", replace(one, verdict="probably worse", p_holm=0.125))
    assert said.endswith("a difference of this size would take 8 seeds.")
