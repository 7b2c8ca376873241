"""Calibration curves and Brier scores, by hand and against the study's scores."""

import numpy as np
import pytest

from medattn.study import brier_score, reliability, score_predictions


def test_bins_are_those_counted_by_hand():
    predicted = [0.5, 0.55, 0.95, 1.0, 0.9]
    correct = [True, False, True, True, False]
    found = reliability(predicted, correct, low=0.5, bins=5)
    np.testing.assert_array_equal(found.count, [2, 0, 0, 0, 3])
    np.testing.assert_allclose(found.said[[0, 4]], [0.525, 0.95])
    np.testing.assert_allclose(found.happened[[0, 4]], [0.5, 2 / 3])
    assert np.isnan(found.said[1:4]).all() and np.isnan(found.happened[1:4]).all()


def test_a_probability_on_an_edge_belongs_to_the_bin_above():
    edges = [0.5, 0.6, 0.7, 0.8, 0.9]
    found = reliability(edges, [True] * 5, low=0.5, bins=5)
    np.testing.assert_array_equal(found.count, 1)


def test_the_bins_of_a_network_give_its_calibration_error():
    rng = np.random.default_rng(0)
    probability = rng.random(400)
    positive = rng.random(400) < probability**2
    found = reliability(probability, positive, bins=15)
    gap = np.nansum(found.count * np.abs(found.said - found.happened)) / 400
    scores = score_predictions(
        positive * 1, np.stack([1 - probability, probability], 1), draws=0
    )
    assert gap == pytest.approx(scores["ece"], abs=1e-9)
    assert brier_score(probability, positive) == pytest.approx(scores["brier"])


def test_brier_scores_of_perfect_undecided_and_no_predictions():
    assert brier_score([1, 0], [True, False]) == 0
    assert brier_score([0.5, 0.5], [True, False]) == 0.25
    assert np.isnan(brier_score([], []))


def test_values_that_are_no_probabilities_are_refused():
    with pytest.raises(ValueError, match="from 0.5 to 1"):
        reliability([0.4], [True], low=0.5)
    with pytest.raises(ValueError, match="as many outcomes"):
        brier_score([0.4, 0.5], [True])
