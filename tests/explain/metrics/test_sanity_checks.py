"""The randomisation test: what it changes, and that it restores the weights."""

import numpy as np
import pytest
from metric_maps import gradient_of

from medattn.explain import edge_map, explainer, randomisation_check


def test_randomising_changes_maps_that_depend_on_weights_and_restores_the_weights(
    linear_model,
):
    model, images = linear_model
    before = model.get_weights()
    found = randomisation_check(gradient_of, model, images)
    assert found.depths == [None, model.layers[-1].name]
    np.testing.assert_allclose([found.spearman[0], found.ssim[0]], 1)
    assert np.abs(found.spearman[1]).max() < 0.6
    edges = randomisation_check(lambda _: edge_map, model, images)
    np.testing.assert_allclose([edges.spearman, edges.ssim], 1)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_weights_are_restored_when_the_explanation_fails(linear_model):
    model, images = linear_model
    before = model.get_weights()
    calls = []

    def fails(model):
        calls.append(model)
        if len(calls) > 1:
            raise RuntimeError("no map")
        return edge_map

    with pytest.raises(RuntimeError, match="no map"):
        randomisation_check(fails, model, images)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_rank_correlation_equals_that_of_scipy(linear_model):
    from scipy.stats import spearmanr

    model, images = linear_model
    maps = []
    explain = gradient_of

    def recorded(model):
        return lambda x: maps.append(explain(model)(x)) or maps[-1]

    found = randomisation_check(recorded, model, images, sign="signed")
    expected = [spearmanr(a.ravel(), b.ravel())[0] for a, b in zip(*maps, strict=True)]
    np.testing.assert_allclose(found.spearman[1], expected)


@pytest.mark.slow
def test_randomising_the_last_layers_changes_lrp_and_not_edges(trained, drawings):
    model, images = trained("micro_resnet"), drawings["image"][:2]
    before = np.asarray(model(images))
    with_lrp = explainer("lrp.epsilon", 1)
    found = randomisation_check(with_lrp, model, images, stages=4)
    assert found.spearman[1:].max() < 0.95
    edges = randomisation_check(lambda _: edge_map, model, images, stages=4)
    np.testing.assert_allclose(edges.spearman, 1)
    np.testing.assert_array_equal(np.asarray(model(images)), before)
