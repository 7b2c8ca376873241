"""Regimes: nested, stratified, seeded."""

import numpy as np
import pytest

from medattn.data import load_dataset
from medattn.data.regimes import take_regime


def test_smaller_regimes_are_subsets_of_larger_ones():
    labels = np.random.default_rng(0).integers(0, 2, 1000)
    parts = [set(take_regime(labels, r, seed=3)) for r in (0.01, 0.1, 0.5, 1.0)]
    for small, large in zip(parts, parts[1:], strict=False):
        assert small < large
    assert parts[-1] == set(range(1000))


def test_each_class_keeps_its_fraction():
    labels = np.array([0] * 900 + [1] * 100)
    taken = take_regime(labels, 0.1, seed=0)
    assert (labels[taken] == 0).sum() == 90
    assert (labels[taken] == 1).sum() == 10


def test_another_seed_gives_another_subset_and_the_same_seed_the_same():
    labels = np.random.default_rng(0).integers(0, 2, 1000)
    first = take_regime(labels, 0.1, seed=0)
    np.testing.assert_array_equal(first, take_regime(labels, 0.1, seed=0))
    assert len(set(first) & set(take_regime(labels, 0.1, seed=1))) < 30


def test_a_class_with_too_few_images_is_refused_with_the_minimum_regime():
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


def test_a_regime_of_patients_takes_all_or_none_of_their_images():
    rng = np.random.default_rng(0)
    patients = rng.integers(0, 200, 1000).astype(str)
    labels = (rng.random(1000) < 0.2).astype(int)
    small, large = (
        take_regime(labels, r, seed=1, patients=patients) for r in (0.1, 0.5)
    )
    assert set(small) < set(large)
    for taken in (small, large):
        rest = np.setdiff1d(np.arange(1000), taken)
        assert not set(patients[taken]) & set(patients[rest])
    positive = {p for p in patients if labels[patients == p].any()}
    fraction = len(positive & set(patients[small])) / len(positive)
    assert fraction == pytest.approx(0.1, abs=0.01)


def test_too_few_positive_patients_are_refused_with_their_number():
    labels = np.array([1] * 6 + [0] * 94)
    patients = np.array([str(i // 2) for i in range(100)])
    with pytest.raises(ValueError, match=r"patients of class 1.*leaves 2 of 3"):
        take_regime(labels, 0.5, seed=0, patients=patients, least=3)


def test_a_regime_of_one_image_patients_is_the_one_of_images():
    labels = np.random.default_rng(1).integers(0, 2, 300)
    names = np.array([f"{i:04d}" for i in range(300)])
    np.testing.assert_array_equal(
        take_regime(labels, 0.1, seed=5),
        take_regime(labels, 0.1, seed=5, patients=names),
    )


def test_the_fundus_regimes_are_those_of_the_shipped_networks():
    for regime, start in RECORDED.items():
        found = load_dataset("fundus", regime=regime).ids_hash
        assert found.startswith(start)


# train_ids_sha256 in the records of the zoo
RECORDED = {
    0.01: "a9cb2adbd87d96e5",
    0.5: "42711e53082b57c4",
    1.0: "1194a9a61c35e060",
    0.1: "6bf3991c937362e0",
}
