"""Alignment of films and reports: the fit and the loss against plain loops."""

import keras
import numpy as np
import pytest

from medattn.teaching.alignment import WordRegionFit, matching_loss


def test_word_region_fit_equals_plain_loops():
    rng = np.random.default_rng(5)
    films, reports = rng.normal(size=(2, 4, 3)), rng.normal(size=(3, 2, 3))
    mask = np.array([[1, 1], [1, 0], [1, 1]])
    layer = WordRegionFit(sharpness=4.0)
    inputs = [films.astype("float32"), reports.astype("float32"), mask > 0]
    found = keras.ops.convert_to_numpy(layer(inputs))
    scores = keras.ops.convert_to_numpy(layer.scores(inputs))
    for i, film in enumerate(films):
        for j, report in enumerate(reports):
            words = []
            for t, word in enumerate(report):
                similar = np.array([word @ region for region in film])
                weight = np.exp(4 * similar) / np.exp(4 * similar).sum()
                np.testing.assert_allclose(scores[i, j, t], weight, atol=1e-5)
                if mask[j, t]:
                    words.append(weight @ similar)
            assert found[i, j] == pytest.approx(10 * np.mean(words), abs=1e-4)
    copy = WordRegionFit.from_config(layer.get_config())
    assert copy.sharpness == 4.0
    assert copy.compute_output_shape([(2, 4, 3), (3, 2, 3), (3, 2)]) == (2, 3)


def test_films_with_the_same_report_divide_the_target():
    fit = np.array([[2.0, 2.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 3.0]], "float32")
    loss = keras.ops.convert_to_numpy(matching_loss(np.array([7, 7, 1]), fit))
    # the first two have half of the target each, with probability e^2 / (2 e^2 + 1)
    same = -np.log(np.exp(2) / (2 * np.exp(2) + 1))
    different = -np.log(np.exp(3) / (np.exp(3) + 2))
    np.testing.assert_allclose(loss, [same, same, different], rtol=1e-5)
    two = keras.ops.convert_to_numpy(matching_loss(np.array([[0], [1]]), fit[:2, 1:]))
    # film 1: e^2 against 1; its report: e^2 against e^2; the mean of both
    assert two[0] == pytest.approx((np.log1p(np.exp(-2)) + np.log(2)) / 2, rel=1e-5)
