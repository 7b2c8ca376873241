"""Statistics against numbers worked by hand, and on data with a known effect."""

import itertools

import numpy as np
import pytest

from medattn.study.analyse.statistics import (
    compare,
    exact_wilcoxon,
    holm,
    mean_interval,
    minimum_seeds,
    sentence,
)


def test_wilcoxon_of_six_pairs_by_hand():
    """All six of one sign: 2 of 64 sign vectors are as extreme. A negative one of rank
    1: sums 0 and 1 on either side, 4 of 64."""
    assert exact_wilcoxon([1, 2, 3, 4, 5, 6]) == pytest.approx(2 / 64)
    assert exact_wilcoxon([-1, 2, 3, 4, 5, 6]) == pytest.approx(4 / 64)
    assert exact_wilcoxon([0, 0, 0]) == 1.0


def test_wilcoxon_with_ties_counts_the_sign_vectors():
    d = np.array([1.0, 1.0, -1.0, 2.0, 3.0, 3.0])
    ranks = np.array([2, 2, 2, 4, 5.5, 5.5])
    sums = [ranks[np.array(s) > 0].sum() for s in itertools.product((0, 1), repeat=6)]
    far = abs(ranks[d > 0].sum() - ranks.sum() / 2)
    expected = np.mean(np.abs(np.array(sums) - ranks.sum() / 2) >= far - 1e-9)
    assert exact_wilcoxon(d) == pytest.approx(expected)


def test_holm_by_hand():
    """Sorted .01 .02 .04 times 3 2 1, never decreasing."""
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])


def test_six_seeds_can_detect_one_contrast_and_never_four():
    assert minimum_seeds(1) == 6 and minimum_seeds(4) == 8
    perfect = np.linspace(0.1, 0.11, 6)
    assert compare(perfect, np.zeros(6), family=1).verdict == "better"
    assert compare(perfect, np.zeros(6), family=4).detectable == float("inf")


def test_an_interval_by_hand():
    """1, 2, 3: mean 2, deviation 1, t(.975; 2) = 4.3027, over sqrt 3."""
    mean, low, high = mean_interval([1, 2, 3])
    assert (mean, high - mean) == pytest.approx((2, 4.30265 / np.sqrt(3)), abs=1e-4)
    assert mean - low == pytest.approx(high - mean)


def test_the_null_is_rejected_no_more_often_than_the_level(monkeypatch):
    """600 studies of four contrasts without effect: a false claim in at most 5%."""
    monkeypatch.setattr("gc.collect", lambda: 0)  # statsmodels does, 600 times
    rng = np.random.default_rng(0)
    studies, false = 600, 0
    for _ in range(studies):
        ps = [exact_wilcoxon(rng.normal(size=8)) for _ in range(4)]
        false += min(holm(ps)) <= 0.05
    assert false / studies <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)


def test_an_effect_of_the_detectable_size_is_found_with_the_planned_power():
    """In about 80% of studies."""
    from statsmodels.stats.power import TTestPower

    size = TTestPower().solve_power(nobs=10, alpha=0.05, power=0.8)
    rng = np.random.default_rng(1)
    draws = rng.normal(size, 1, (400, 10))
    found = np.mean([exact_wilcoxon(d) <= 0.05 for d in draws])
    assert 0.7 <= found <= 0.87


def test_differences_far_below_a_point_are_practically_the_same():
    rng = np.random.default_rng(2)
    d = rng.normal(0.0, 0.001, 12)
    one = compare(d, np.zeros(12))
    assert one.verdict == "practically the same" and one.same > 0.95


def test_three_close_seeds_do_not_prove_that_networks_are_the_same():
    """The posterior is sure of any three numbers; their interval reaches over 1."""
    d = np.array([0.001, 0.004, 0.009])
    one = compare(d, np.zeros(3))
    assert one.same > 0.95 and one.high > one.rope == 0.01
    assert one.verdict == "cannot tell"


def test_better_and_worse_have_their_sign_and_probabilities_sum_to_one():
    up = compare(0.9 + np.arange(8) / 1e3, np.full(8, 0.85))
    down = compare(np.full(8, 0.85), 0.9 + np.arange(8) / 1e3)
    assert (up.verdict, down.verdict) == ("better", "worse")
    assert up.better > 0.95 and down.worse > 0.95
    assert up.worse + up.same + up.better == pytest.approx(1)
    assert (up.superiority, down.superiority) == (1.0, 0.0)


def test_an_open_comparison_names_the_number_of_seeds_it_needs():
    d = np.array([0.05, -0.03, 0.04, -0.01, 0.03, 0.02])
    one = compare(d, np.zeros(6))
    assert one.verdict == "cannot tell" and one.needed > 6
    assert f"would take {one.needed} seeds" in sentence("SE − none", one)
    rng = np.random.default_rng(3)
    larger = rng.normal(d.mean(), d.std(ddof=1), (400, one.needed))
    detected = np.mean([exact_wilcoxon(row) <= 0.05 for row in larger])
    assert 0.68 <= detected <= 0.9


def test_the_seeds_needed_are_the_minimum_with_that_power():
    from statsmodels.stats.power import TTestPower

    d = np.array([0.05, -0.03, 0.04, -0.01, 0.03, 0.02])
    effect = d.mean() / d.std(ddof=1)
    one = compare(d, np.zeros(6), family=4)
    power = [TTestPower().power(effect, one.needed - k, 0.05 / 4) for k in (0, 1)]
    assert power[0] >= 0.8 > power[1]
    assert compare(d - d.mean() + 1e-5, np.zeros(6)).needed is None
