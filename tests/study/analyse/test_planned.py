"""Registered contrasts against plain loops, and on results with known effects."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from medattn.study.analyse.planned import (
    missing_networks,
    planned_cells,
    planned_table,
    planned_values,
    spearman,
)
from medattn.study.plan.preregistration import read_preregistration

MICRO2 = read_preregistration("micro2")
CONTEXT = read_preregistration("micro2-context")
MASS = "lrp.epsilon:relevance_mass"


def rows_of(registered, effects, seeds, noise=0.004):
    """Results of all registered networks: effects by the start of a network's name."""
    rng = np.random.default_rng(0)
    networks = {n for c in registered.contrasts for n in c.networks()}
    rows = []
    for (model, dataset, regime), seed in itertools.product(
        sorted(networks), range(seeds)
    ):
        effect = sum(v for start, v in effects.items() if model.startswith(start))
        value = 0.8 + 0.01 * seed + effect + rng.normal(0, noise)
        rows.append(
            dict(
                model=model, dataset=dataset, regime=regime, seed=seed, auroc=value,
                initialisation="random", shortcut=None, state="done",
            )
            | {MASS: 0.1 + value / 10 + rng.normal(0, 0.01)}
        )  # fmt: skip
    return rows


def named(registered, key):
    return next(c for c in registered.contrasts if c.key == key)


def test_known_effects_get_their_verdicts():
    table = planned_table(rows_of(CONTEXT, {"se_": 0.2, "cbam_": -0.05}, 12), CONTEXT)
    assert list(table) == [contrast.key for contrast in CONTEXT.contrasts]
    for regime in ("1%", "10%", "50%", "100%"):
        se, cbam = (table[f"H1: {gate} − none, {regime}"] for gate in ("SE", "CBAM"))
        assert (se.verdict, cbam.verdict) == ("better", "worse")
        assert se.seeds == 12 and se.p == 2 / 2**12
        # All eight p are equal, so Holm multiplies each by eight.
        assert se.p_holm == pytest.approx(8 * se.p)
    table = planned_table(rows_of(MICRO2, {"micro_deit": 0.05}, 8), MICRO2)
    assert table["H2: SE − none"].verdict == "practically the same"
    assert table["H3: transformer − convolution, 10%"].verdict == "better"


def test_eight_seeds_would_not_be_enough_for_eight_contrasts():
    table = planned_table(rows_of(CONTEXT, {"se_": 0.2, "cbam_": 0.2}, 8), CONTEXT)
    assert {table[c.key].verdict for c in CONTEXT.contrasts[:8]} == {"probably better"}


def test_values_are_those_of_plain_loops():
    rows = rows_of(MICRO2, {"se_": 0.03}, 3)
    value = {
        (r["model"], r["dataset"], r["regime"], r["seed"]): r["auroc"] for r in rows
    }
    found = planned_values(rows, named(MICRO2, "H2: SE − none"))
    of_deit = planned_values(rows, named(MICRO2, "H3: transformer − convolution, 50%"))
    for seed in range(3):
        sums, count, deit = 0.0, 0, 0.0
        for dataset in ("fundus", "dermoscopy", "chest"):
            for regime in (0.01, 0.1, 0.5, 1.0):
                for trunk in ("micro_densenet", "micro_resnet"):
                    sums += value[f"se_{trunk}", dataset, regime, seed]
                    sums -= value[trunk, dataset, regime, seed]
                    count += 1
            both = [
                value[f"micro_{t}", dataset, 0.5, seed] for t in ("densenet", "resnet")
            ]
            deit += (value["micro_deit", dataset, 0.5, seed] - sum(both) / 2) / 3
        assert found[seed] == pytest.approx(sums / count)
        assert of_deit[seed] == pytest.approx(deit)


def test_the_correlation_is_that_of_scipy_over_seven_networks():
    rows = rows_of(MICRO2, {"se_": 0.05, "micro_deit": -0.1}, 2)
    contrast = MICRO2.contrasts[-1]
    expected = []
    for dataset in contrast.datasets:
        for regime in contrast.regimes:
            cell = [
                r
                for r in rows
                if (r["dataset"], r["regime"], r["seed"]) == (dataset, regime, 1)
            ]
            assert len(cell) == 7
            pairs = [(r[MASS], r["auroc"]) for r in cell]
            expected.append(spearmanr(pairs).statistic)
    assert planned_values(rows, contrast)[1] == pytest.approx(np.mean(expected))


def test_spearman_by_hand():
    """Ranks 1 2 3 against 1 3 2: 1 - 6 (0 + 1 + 1) / (3 x 8) = 1/2."""
    assert spearman([1, 2, 9], [5, 7, 6]) == pytest.approx(0.5)
    assert spearman([1, 2, 3], [4, 4, 4]) is None
    assert spearman([1, 1, 2], [3, 3, 9]) == pytest.approx(1)


def test_a_correlation_that_is_zero_is_a_value_and_no_gap():
    rows = rows_of(MICRO2, {}, 1)
    contrast = replace(MICRO2.contrasts[-1], one=("micro_deit", "micro_resnet", "x"))
    of_cell = {"micro_deit": (1, 2), "micro_resnet": (2, 3), "x": (3, 2)}
    rows = [
        dict(rows[0], model=m, dataset=d, regime=r, **{MASS: a, "auroc": b})
        for m, (a, b) in of_cell.items()
        for d, r in itertools.product(contrast.datasets, contrast.regimes)
    ]
    assert planned_values(rows, contrast) == {0: pytest.approx(0)}


def test_a_seed_that_lacks_a_cell_is_left_out_of_that_contrast_alone():
    rows = rows_of(MICRO2, {}, 4)
    gone = dict(model="se_micro_resnet", dataset="chest", regime=0.5, seed=2)
    rows = [r for r in rows if not gone.items() <= r.items()]
    se, cbam = (named(MICRO2, f"H2: {gate} − none") for gate in ("SE", "CBAM"))
    assert set(planned_values(rows, se)) == {0, 1, 3}
    assert set(planned_values(rows, cbam)) == {0, 1, 2, 3}
    assert missing_networks(rows, se) == {2: [("se_micro_resnet", "chest", 0.5)]}
    assert missing_networks(rows, cbam) == {}
    cells = planned_cells(rows, se)
    assert len(cells) == 24 and 2 not in cells["chest", 0.5, "micro_resnet"]
    failed = [dict(r, state="failed") if r["seed"] == 3 else r for r in rows]
    assert set(planned_values(failed, se)) == {0, 1}


def test_seeds_beyond_the_registered_number_are_not_looked_at():
    rows = rows_of(MICRO2, {}, 10)
    assert planned_table(rows, MICRO2) == planned_table(
        [r for r in rows if r["seed"] < 8], MICRO2
    )


def test_a_contrast_without_results_counts_in_its_family():
    rows = rows_of(CONTEXT, {"se_": 0.2}, 12)
    only = [r for r in rows if r["regime"] == 0.1 and "cbam" not in r["model"]]
    table = planned_table(only, CONTEXT)
    one = table["H1: SE − none, 10%"]
    assert one.p_holm == pytest.approx(8 * one.p) and one.verdict == "better"
    assert table["H1: SE − none, 1%"] is None
    assert set(planned_table([], CONTEXT).values()) == {None}


def test_other_starts_and_shortcuts_are_no_results_and_two_of_a_kind_are_refused():
    rows = rows_of(CONTEXT, {"se_": 0.2}, 3)
    others = [dict(r, initialisation="shapes") for r in rows]
    others += [dict(r, shortcut=0.9) for r in rows]
    assert planned_table(rows + others, CONTEXT) == planned_table(rows, CONTEXT)
    with pytest.raises(ValueError, match="one result of a network and seed"):
        planned_table([*rows, dict(rows[0], auroc=0.1)], CONTEXT)
