"""Scores against numbers worked by hand, plain loops and another DeLong."""

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
    rng = np.random.default_rng(3)
    positive = rng.random(100) < 0.4
    base = positive + rng.normal(0, 1.2, 100)
    return positive, np.round(base, 1), np.round(base + rng.normal(0, 0.8, 100), 1)


def test_auroc_counts_the_pairs_in_order_and_half_the_ties(case):
    positive, score, _ = case
    pairs = list(itertools.product(score[positive], score[~positive]))
    expected = np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])
    assert auroc(positive, score) == pytest.approx(expected, abs=1e-12)


def test_delong_deviation_from_the_definition(case):
    """The placements by a double loop, as in DeLong's paper of 1988."""
    positive, score, _ = case
    kernel = (score[positive][:, None] > score[~positive]) + 0.5 * (
        score[positive][:, None] == score[~positive]
    )
    expected = kernel.mean(1).var(ddof=1) / positive.sum()
    expected += kernel.mean(0).var(ddof=1) / (~positive).sum()
    assert delong(positive, score)[1] == pytest.approx(np.sqrt(expected), rel=1e-12)


def test_delong_agrees_with_an_independent_library(case):
    from MLstatkit import Delong_test

    positive, score, other = case
    difference, deviation, p = delong_difference(positive, score, other)
    z, theirs = Delong_test(positive.astype(int), score, other)[:2]
    assert abs(difference / deviation) == pytest.approx(abs(z), rel=1e-9)
    assert p == pytest.approx(theirs, rel=1e-9)


def test_delong_interval_covers_the_truth_at_its_level():
    rng = np.random.default_rng(0)
    truth, hits = 0.7602, 0  # Phi(1 / sqrt 2)
    for _ in range(400):
        positive = np.arange(120) < 50
        low, high = delong_interval(*delong(positive, positive + rng.normal(size=120)))
        hits += low <= truth <= high
    assert 0.92 <= hits / 400 <= 0.98


def test_the_interval_stays_within_zero_and_one():
    low, high = delong_interval(0.99, 0.02)
    assert 0 < low < 0.99 < high < 1
    assert delong_interval(1.0, 0.0) == (1.0, 1.0)


def test_sensitivity_at_95_specificity_by_hand():
    """Of 20 negatives one may lie above the threshold: .8, which .9 and .85 exceed."""
    score = np.concatenate([[0.9, 0.85, 0.3, 0.1], [0.8], np.full(19, 0.2)])
    positive = np.arange(24) < 4
    assert sensitivity_at(positive, score) == 0.75  # .3 is above the 19, too
    assert sensitivity_at(positive, score, specificity=1.0) == 0.5


def test_calibration_error_by_hand():
    """Two bins of two: |.1 - .5| and |.9 - 1|, each half the weight."""
    score, positive = np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 1, 1, 1], bool)
    assert calibration_error(positive, score, bins=2) == pytest.approx(0.25)


def test_a_bootstrap_of_patients_is_wider_than_one_of_their_images():
    rng = np.random.default_rng(1)
    positive = np.arange(60) < 30
    score = positive + rng.normal(0, 1.0, 60)
    many, patients = np.repeat(np.arange(60), 10), np.repeat(np.arange(60), 10)
    low, high = patient_interval(positive[many], score[many], patients=patients)
    naive = patient_interval(positive[many], score[many])
    once = patient_interval(positive, score)
    assert high - low == pytest.approx(once[1] - once[0], rel=1e-9)
    assert naive[1] - naive[0] < 0.5 * (high - low)


def test_the_bootstrap_agrees_with_a_plain_one():
    rng = np.random.default_rng(2)
    positive = np.arange(50) < 20
    score = np.round(positive + rng.normal(0, 1.0, 50), 1)
    patients = np.arange(50) // 2
    times = np.random.default_rng(0).multinomial(25, np.full(25, 1 / 25), size=80)
    areas = []
    for row in times:
        taken = np.repeat(np.arange(50), row[patients])
        areas.append(auroc(positive[taken], score[taken]))
    expected = np.quantile(areas, [0.025, 0.975])
    found = patient_interval(positive, score, patients=patients, draws=80)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_many_classes_are_scored_one_against_the_rest():
    predicted = np.array([[0.8, 0.1, 0.1], [0.2, 0.6, 0.2], [0.3, 0.4, 0.3]])
    found = score_predictions(np.array([0, 1, 2]), predicted)
    assert found["auroc"] == pytest.approx((1 + 1 + 1) / 3)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert "brier" not in found
