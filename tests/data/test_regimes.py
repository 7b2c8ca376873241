"""Regimes: nested, stratified, seeded."""

import numpy as np
import pytest

from medattn.data import load_dataset
from medattn.data.regimes import take_regime


def test_smaller_regimes_lie_inside_larger_ones():
    labels = np.random.default_rng(0).integers(0, 2, 1000)
    parts = [set(take_regime(labels, r, seed=3)) for r in (0.01, 0.1, 0.5, 1.0)]
    for small, large in zip(parts, parts[1:], strict=False):
        assert small < large
    assert parts[-1] == set(range(1000))


def test_each_class_keeps_its_share():
    labels = np.array([0] * 900 + [1] * 100)
    taken = take_regime(labels, 0.1, seed=0)
    assert (labels[taken] == 0).sum() == 90
    assert (labels[taken] == 1).sum() == 10


def test_another_seed_draws_other_images_and_the_same_seed_the_same():
    labels = np.random.default_rng(0).integers(0, 2, 1000)
    first = take_regime(labels, 0.1, seed=0)
    np.testing.assert_array_equal(first, take_regime(labels, 0.1, seed=0))
    assert len(set(first) & set(take_regime(labels, 0.1, seed=1))) < 30


def test_a_class_with_too_few_images_is_refused_with_the_least_regime():
    labels = np.array([0] * 990 + [1] * 10)
    with pytest.raises(ValueError, match=r"regime >= 0\.2.*leaves 1 of 10"):
        take_regime(labels, 0.1, seed=0)
    assert (labels[take_regime(labels, 0.2, seed=0)] == 1).sum() == 2


def test_validation_shrinks_with_the_regime_and_test_never_does():
    sizes = {
        split: len(load_dataset("fundus", split=split, regime=0.1))
        for split in ("train", "validation", "test")
    }
    assert sizes["train"] == pytest.approx(400, abs=1)
    assert sizes["validation"] == pytest.approx(50, abs=1)
    assert sizes["test"] == 1000
