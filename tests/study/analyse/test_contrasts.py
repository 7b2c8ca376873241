"""Contrasts on results that were made with a known effect."""

import itertools

import numpy as np
import pytest

from medattn.study.analyse.contrasts import (
    contrast_table,
    contrasts_by,
    paired_differences,
)


def synthetic_rows(effect, *, seeds=8, noise=0.002):
    """Results of three gates on two trunks, two regimes, and a transformer."""
    rng = np.random.default_rng(4)
    rows = []
    for seed, regime in itertools.product(range(seeds), (0.1, 1.0)):
        of_subset = rng.normal(0, 0.05)  # shared by all networks
        for trunk in ("micro_resnet", "micro_densenet"):
            for gate in ("", "se_", "cbam_"):
                value = 0.8 + of_subset + effect.get(gate, 0) + rng.normal(0, noise)
                rows.append(_row(gate + trunk, regime, seed, value))
        value = 0.8 + of_subset + effect.get("deit", 0) + rng.normal(0, noise)
        rows.append(_row("micro_deit", regime, seed, value))
    return rows


def _row(model, regime, seed, value):
    return dict(
        model=model, regime=regime, seed=seed, auroc=value, dataset="fundus",
        initialisation="random", shortcut=None,
    )  # fmt: skip


def test_pairing_by_seed_finds_an_effect_smaller_than_the_spread_over_subsets():
    table = contrast_table(synthetic_rows({"se_": 0.03, "deit": -0.1}))
    assert set(table) == {"SE − none", "CBAM − none", "transformer − convolution"}
    assert table["SE − none"].verdict == "better"
    assert table["SE − none"].mean == pytest.approx(0.03, abs=0.003)
    assert table["CBAM − none"].verdict in ("practically the same", "cannot tell")
    assert table["transformer − convolution"].verdict == "worse"
    assert all(one.p_holm >= one.p for one in table.values())


def test_a_decrease_is_an_improvement_where_lower_is_better():
    rows = synthetic_rows({"se_": -0.03})
    assert contrast_table(rows)["SE − none"].verdict == "worse"
    flipped = contrast_table(rows, better="low")["SE − none"]
    assert flipped.verdict == "better" and flipped.mean == pytest.approx(
        0.03, abs=0.003
    )


def test_a_seed_that_lacks_a_cell_is_left_out():
    rows = synthetic_rows({}, seeds=3)
    assert set(paired_differences(rows, "SE − none")) == {0, 1, 2}
    rows = [r for r in rows if not (r["seed"] == 1 and r["model"] == "se_micro_resnet")]
    assert set(paired_differences(rows, "SE − none")) == {0, 2}


def test_a_cell_that_most_seeds_lack_is_left_out():
    rows = synthetic_rows({}, seeds=5)
    missing = [r for r in rows if r["regime"] == 1.0 and r["seed"] > 1]
    rows = [r for r in rows if r not in missing]
    assert set(paired_differences(rows, "SE − none")) == {0, 1, 2, 3, 4}
    of_one_regime = [r for r in rows if r["regime"] == 0.1]
    assert paired_differences(rows, "SE − none") == paired_differences(
        of_one_regime, "SE − none"
    )


def test_a_seed_that_has_only_started_removes_no_cell():
    rows = synthetic_rows({}, seeds=3)
    missing = [
        r
        for r in rows
        if r["seed"] == 2 and (r["regime"], "densenet" in r["model"]) != (0.1, True)
    ]
    rows = [r for r in rows if r not in missing]  # seed 2 has one cell of four
    found = paired_differences(rows, "SE − none")
    assert found == paired_differences(
        [r for r in rows if r["seed"] < 2], "SE − none"
    ) and set(found) == {0, 1}


def test_every_regime_has_its_own_interval():
    found = contrasts_by(synthetic_rows({"cbam_": 0.02}), "regime")
    assert set(found["CBAM − none"]) == {0.1, 1.0}
    mean, low, high, seeds = found["CBAM − none"][0.1]
    assert seeds == 8 and low < mean < high and mean == pytest.approx(0.02, abs=0.004)
