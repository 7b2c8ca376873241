"""Statistics against hand-worked numbers, and against data made with a known effect."""

import itertools

import numpy as np
import pytest

from medattn.study.analyse.statistics import (
    compare,
    contrast_table,
    contrasts_by,
    exact_wilcoxon,
    holm,
    least_seeds,
    mean_interval,
    paired_differences,
    sentence,
)


def test_wilcoxon_of_six_by_hand():
    """All six of one sign: 2 of 64 signings are as extreme. One small loser, of rank
    1: sums 0 and 1 on either side, 4 of 64."""
    assert exact_wilcoxon([1, 2, 3, 4, 5, 6]) == pytest.approx(2 / 64)
    assert exact_wilcoxon([-1, 2, 3, 4, 5, 6]) == pytest.approx(4 / 64)
    assert exact_wilcoxon([0, 0, 0]) == 1.0


def test_wilcoxon_with_ties_counts_the_signings():
    d = np.array([1.0, 1.0, -1.0, 2.0, 3.0, 3.0])
    ranks = np.array([2, 2, 2, 4, 5.5, 5.5])
    sums = [ranks[np.array(s) > 0].sum() for s in itertools.product((0, 1), repeat=6)]
    far = abs(ranks[d > 0].sum() - ranks.sum() / 2)
    expected = np.mean(np.abs(np.array(sums) - ranks.sum() / 2) >= far - 1e-9)
    assert exact_wilcoxon(d) == pytest.approx(expected)


def test_holm_by_hand():
    """Sorted .01 .02 .04 times 3 2 1, never falling."""
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])


def test_six_seeds_can_show_one_contrast_and_never_four():
    assert least_seeds(1) == 6 and least_seeds(4) == 8
    perfect = np.linspace(0.1, 0.11, 6)
    assert compare(perfect, np.zeros(6), family=1).verdict == "better"
    assert compare(perfect, np.zeros(6), family=4).detectable == float("inf")


def test_an_interval_by_hand():
    """1, 2, 3: mean 2, deviation 1, t(.975; 2) = 4.3027, over sqrt 3."""
    mean, low, high = mean_interval([1, 2, 3])
    assert (mean, high - mean) == pytest.approx((2, 4.30265 / np.sqrt(3)), abs=1e-4)
    assert mean - low == pytest.approx(high - mean)


def test_the_null_is_rejected_no_more_often_than_it_should(monkeypatch):
    """600 studies of four contrasts without effect: a false claim in at most 5%."""
    monkeypatch.setattr("gc.collect", lambda: 0)  # statsmodels does, 600 times
    chance = np.random.default_rng(0)
    studies, false = 600, 0
    for _ in range(studies):
        ps = [exact_wilcoxon(chance.normal(size=8)) for _ in range(4)]
        false += min(holm(ps)) <= 0.05
    assert false / studies <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)


def test_a_known_effect_is_found_as_often_as_planned():
    """An effect of the detectable size is shown in about 80% of studies."""
    from statsmodels.stats.power import TTestPower

    size = TTestPower().solve_power(nobs=10, alpha=0.05, power=0.8)
    chance = np.random.default_rng(1)
    draws = chance.normal(size, 1, (400, 10))
    found = np.mean([exact_wilcoxon(d) <= 0.05 for d in draws])
    assert 0.7 <= found <= 0.87


def test_equal_within_a_point_is_said_to_be_so():
    chance = np.random.default_rng(2)
    d = chance.normal(0.0, 0.001, 12)
    one = compare(d, np.zeros(12))
    assert one.verdict == "practically the same" and one.same > 0.95


def test_three_close_seeds_are_no_proof_of_sameness():
    """The posterior is sure of any three numbers; their interval reaches over 1."""
    d = np.array([0.001, 0.004, 0.009])
    one = compare(d, np.zeros(3))
    assert one.same > 0.95 and one.high > one.rope == 0.01
    assert one.verdict == "cannot tell"


def test_of_a_measure_whose_low_end_is_better_a_fall_is_an_improvement():
    rows = made_rows({"se_": -0.03})
    assert contrast_table(rows)["SE − none"].verdict == "worse"
    turned = contrast_table(rows, better="low")["SE − none"]
    assert turned.verdict == "better" and turned.mean == pytest.approx(0.03, abs=0.003)


def test_better_and_worse_are_told_apart_and_sum_to_one():
    up = compare(0.9 + np.arange(8) / 1e3, np.full(8, 0.85))
    down = compare(np.full(8, 0.85), 0.9 + np.arange(8) / 1e3)
    assert (up.verdict, down.verdict) == ("better", "worse")
    assert up.better > 0.95 and down.worse > 0.95
    assert up.worse + up.same + up.better == pytest.approx(1)
    assert (up.superiority, down.superiority) == (1.0, 0.0)


def test_what_cannot_be_told_says_how_many_seeds_would():
    d = np.array([0.05, -0.03, 0.04, -0.01, 0.03, 0.02])
    one = compare(d, np.zeros(6))
    assert one.verdict == "cannot tell" and one.needed > 6
    assert f"would take {one.needed} seeds" in sentence("SE − none", one)
    chance = np.random.default_rng(3)
    bigger = chance.normal(d.mean(), d.std(ddof=1), (400, one.needed))
    shown = np.mean([compare_p(row) <= 0.05 for row in bigger])
    assert 0.68 <= shown <= 0.9


def compare_p(d):
    return exact_wilcoxon(d)


def made_rows(effect, *, seeds=8, noise=0.002):
    """Results of three gates on two trunks, two regimes, and a transformer."""
    chance = np.random.default_rng(4)
    rows = []
    for seed, regime in itertools.product(range(seeds), (0.1, 1.0)):
        luck = chance.normal(0, 0.05)  # of the subset, shared by all networks
        for trunk in ("micro_resnet", "micro_densenet"):
            for gate in ("", "se_", "cbam_"):
                value = 0.8 + luck + effect.get(gate, 0) + chance.normal(0, noise)
                rows.append(_row(gate + trunk, regime, seed, value))
        value = 0.8 + luck + effect.get("deit", 0) + chance.normal(0, noise)
        rows.append(_row("micro_deit", regime, seed, value))
    return rows


def _row(model, regime, seed, value):
    return dict(
        model=model, regime=regime, seed=seed, auroc=value, dataset="fundus",
        initialisation="random", shortcut=None,
    )  # fmt: skip


def test_pairing_by_seed_finds_an_effect_that_luck_of_the_draw_would_hide():
    table = contrast_table(made_rows({"se_": 0.03, "deit": -0.1}))
    assert set(table) == {"SE − none", "CBAM − none", "transformer − convolution"}
    assert table["SE − none"].verdict == "better"
    assert table["SE − none"].mean == pytest.approx(0.03, abs=0.003)
    assert table["CBAM − none"].verdict in ("practically the same", "cannot tell")
    assert table["transformer − convolution"].verdict == "worse"
    assert all(one.p_holm >= one.p for one in table.values())


def test_a_seed_that_lacks_a_cell_is_left_out():
    rows = made_rows({}, seeds=3)
    assert set(paired_differences(rows, "SE − none")) == {0, 1, 2}
    rows = [r for r in rows if not (r["seed"] == 1 and r["model"] == "se_micro_resnet")]
    assert set(paired_differences(rows, "SE − none")) == {0, 2}


def test_a_cell_that_most_seeds_lack_is_left_out_instead():
    rows = made_rows({}, seeds=5)
    late = [r for r in rows if r["regime"] == 1.0 and r["seed"] > 1]
    rows = [r for r in rows if r not in late]
    assert set(paired_differences(rows, "SE − none")) == {0, 1, 2, 3, 4}
    alone = [r for r in rows if r["regime"] == 0.1]
    assert paired_differences(rows, "SE − none") == paired_differences(
        alone, "SE − none"
    )


def test_a_seed_that_has_only_begun_leaves_no_cell_out():
    rows = made_rows({}, seeds=3)
    begun = [
        r
        for r in rows
        if r["seed"] == 2 and (r["regime"], "densenet" in r["model"]) != (0.1, True)
    ]
    rows = [r for r in rows if r not in begun]  # seed 2 has one cell of four
    found = paired_differences(rows, "SE − none")
    assert found == paired_differences(
        [r for r in rows if r["seed"] < 2], "SE − none"
    ) and set(found) == {0, 1}


def test_the_seeds_needed_are_the_fewest_that_have_the_power():
    from statsmodels.stats.power import TTestPower

    d = np.array([0.05, -0.03, 0.04, -0.01, 0.03, 0.02])
    effect = d.mean() / d.std(ddof=1)
    one = compare(d, np.zeros(6), family=4)
    power = [TTestPower().power(effect, one.needed - k, 0.05 / 4) for k in (0, 1)]
    assert power[0] >= 0.8 > power[1]
    assert compare(d - d.mean() + 1e-5, np.zeros(6)).needed is None


def test_regimes_are_described_one_by_one():
    found = contrasts_by(made_rows({"cbam_": 0.02}), "regime")
    assert set(found["CBAM − none"]) == {0.1, 1.0}
    mean, low, high, seeds = found["CBAM − none"][0.1]
    assert seeds == 8 and low < mean < high and mean == pytest.approx(0.02, abs=0.004)
