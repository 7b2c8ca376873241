"""Scores against hand-worked numbers, plain loops and another DeLong."""

import itertools

import numpy as np
import pytest

from medattn.study.analyse.scores import (
    auroc,
    calibration_error,
    delong,
    delong_difference,
    delong_interval,
    patient_interval,
    score_predictions,
    sensitivity_at,
)


@pytest.fixture
def case():
    """A hundred labels and two correlated scores with ties."""
    chance = np.random.default_rng(3)
    sick = chance.random(100) < 0.4
    base = sick + chance.normal(0, 1.2, 100)
    return sick, np.round(base, 1), np.round(base + chance.normal(0, 0.8, 100), 1)


def test_auroc_counts_the_pairs_in_order_and_half_the_ties(case):
    sick, score, _ = case
    pairs = list(itertools.product(score[sick], score[~sick]))
    expected = np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])
    assert auroc(sick, score) == pytest.approx(expected, abs=1e-12)


def test_delong_deviation_from_the_definition(case):
    """The placements by a double loop, as DeLong wrote them in 1988."""
    sick, score, _ = case
    kernel = (score[sick][:, None] > score[~sick]) + 0.5 * (
        score[sick][:, None] == score[~sick]
    )
    expected = kernel.mean(1).var(ddof=1) / sick.sum()
    expected += kernel.mean(0).var(ddof=1) / (~sick).sum()
    assert delong(sick, score)[1] == pytest.approx(np.sqrt(expected), rel=1e-12)


def test_delong_agrees_with_an_independent_library(case):
    from MLstatkit import Delong_test

    sick, score, other = case
    difference, deviation, p = delong_difference(sick, score, other)
    z, theirs = Delong_test(sick.astype(int), score, other)[:2]
    assert abs(difference / deviation) == pytest.approx(abs(z), rel=1e-9)
    assert p == pytest.approx(theirs, rel=1e-9)


def test_delong_interval_covers_as_often_as_it_says():
    chance = np.random.default_rng(0)
    truth, hits = 0.7602, 0  # Phi(1 / sqrt 2)
    for _ in range(400):
        sick = np.arange(120) < 50
        low, high = delong_interval(*delong(sick, sick + chance.normal(size=120)))
        hits += low <= truth <= high
    assert 0.92 <= hits / 400 <= 0.98


def test_the_interval_stays_within_zero_and_one():
    low, high = delong_interval(0.99, 0.02)
    assert 0 < low < 0.99 < high < 1
    assert delong_interval(1.0, 0.0) == (1.0, 1.0)


def test_sensitivity_at_95_specificity_by_hand():
    """Of 20 negatives one may lie above the cut: it is .8, and .9 and .85 pass."""
    score = np.concatenate([[0.9, 0.85, 0.3, 0.1], [0.8], np.full(19, 0.2)])
    sick = np.arange(24) < 4
    assert sensitivity_at(sick, score) == 0.75  # .3 is above the 19, too
    assert sensitivity_at(sick, score, specificity=1.0) == 0.5


def test_calibration_error_by_hand():
    """Two bins of two: |.1 - .5| and |.9 - 1|, each half the weight."""
    score, sick = np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 1, 1, 1], bool)
    assert calibration_error(sick, score, bins=2) == pytest.approx(0.25)


def test_a_bootstrap_of_patients_is_wider_than_one_of_their_copies():
    chance = np.random.default_rng(1)
    sick = np.arange(60) < 30
    score = sick + chance.normal(0, 1.0, 60)
    many, whose = np.repeat(np.arange(60), 10), np.repeat(np.arange(60), 10)
    low, high = patient_interval(sick[many], score[many], patients=whose)
    naive = patient_interval(sick[many], score[many])
    alone = patient_interval(sick, score)
    assert high - low == pytest.approx(alone[1] - alone[0], rel=1e-9)
    assert naive[1] - naive[0] < 0.5 * (high - low)


def test_the_bootstrap_agrees_with_a_plain_one():
    chance = np.random.default_rng(2)
    sick = np.arange(50) < 20
    score = np.round(sick + chance.normal(0, 1.0, 50), 1)
    whose = np.arange(50) // 2
    times = np.random.default_rng(0).multinomial(25, np.full(25, 1 / 25), size=80)
    areas = []
    for row in times:
        taken = np.repeat(np.arange(50), row[whose])
        areas.append(auroc(sick[taken], score[taken]))
    expected = np.quantile(areas, [0.025, 0.975])
    found = patient_interval(sick, score, patients=whose, draws=80)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_many_classes_are_scored_one_against_the_rest():
    chance = np.array([[0.8, 0.1, 0.1], [0.2, 0.6, 0.2], [0.3, 0.4, 0.3]])
    found = score_predictions(np.array([0, 1, 2]), chance)
    assert found["auroc"] == pytest.approx((1 + 1 + 1) / 3)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert "brier" not in found
