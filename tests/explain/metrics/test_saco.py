"""SaCo: by hand, and its ends."""

import numpy as np
import pytest

from medattn.explain import evaluate_maps, saco


def summed(weights):
    return lambda x: (x * np.reshape(weights, (1, -1, 1))).sum((1, 2, 3))


def test_three_groups_by_hand():
    """Relevance 5, 3, 1; effects 2, 4, 1. Pairs: 5-3 is wrong by 2; 5-1 and 3-1 are
    right by 4 and 2: (-2 + 4 + 2) / 8 = 0.5."""
    image = np.ones((1, 1, 3, 1), np.float32)
    relevance = np.float32([5, 3, 1]).reshape(1, 1, 3)
    found = saco(summed([2, 4, 1]), image, relevance, groups=3, replacement="zeros")
    assert found == pytest.approx([0.5])


def test_the_true_effects_have_one_and_their_opposite_minus_one():
    rng = np.random.default_rng(0)
    weights = rng.random(20)
    image = np.ones((2, 1, 20, 1), np.float32)
    relevance = np.broadcast_to(weights, (2, 1, 20))
    options = dict(groups=20, replacement="zeros")
    assert saco(summed(weights), image, relevance, **options) == pytest.approx([1, 1])
    assert saco(summed(-weights), image, relevance, **options) == pytest.approx(
        [-1, -1]
    )
    constant = np.ones((2, 1, 20))
    assert np.isnan(saco(summed(weights), image, constant, **options)).all()
    with pytest.raises(ValueError, match="groups from 2 to 20"):
        saco(summed(weights), image, relevance, groups=1)


def test_the_table_has_both_if_asked_for_beside_the_baselines(linear_model):
    model, images = linear_model
    gradient = {"gradient": lambda model: lambda x: x}
    table = evaluate_maps(
        model, images, gradient, neuron=0, checks=False, steps=4, also=("saco",)
    )
    assert set(table["gradient"]) == {"deletion", "insertion", "sparseness", "saco"}
    table = evaluate_maps(
        model,
        images,
        gradient,
        neuron=0,
        checks=False,
        steps=4,
        also=("road_most", "road_least"),
    )
    for row in table.values():  # the random and the edge map, too
        assert row["road_most"].shape == row["road_least"].shape == (3,)
    with pytest.raises(ValueError, match="saco"):
        evaluate_maps(model, images, gradient, neuron=0, also=("saliency",))
