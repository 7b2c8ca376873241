"""Map quality: numbers worked by hand."""

import numpy as np
import pytest

from medattn.explain import edge_map, relevance_mass


def test_relevance_mass_by_hand():
    """|R| = 1 + 2 inside, 3 + 4 outside: 3 of 10."""
    relevance = np.float32([[[1, -2], [3, -4]]])
    mask = np.array([[[True, True], [False, False]]])
    np.testing.assert_allclose(relevance_mass(relevance, mask), [0.3])


def test_channels_are_summed_before_the_size_is_taken():
    relevance = np.zeros((1, 1, 2, 2))
    relevance[0, 0, 0] = [5, -4]  # 1 in all
    relevance[0, 0, 1] = [1, 2]  # 3 in all
    mask = np.array([[[True, False]]])
    np.testing.assert_allclose(relevance_mass(relevance, mask), [0.25])


def test_a_random_map_scores_the_share_that_the_evidence_covers():
    rng = np.random.default_rng(0)
    mask = np.zeros((200, 32, 32), bool)
    mask[:, 4:12, 6:20] = True
    mass = relevance_mass(rng.normal(size=mask.shape), mask)
    assert mass.mean() == pytest.approx(mask.mean(), rel=0.03)


def test_no_evidence_and_no_relevance_are_unknown_not_zero():
    mask = np.ones((2, 3, 3), bool)
    mask[0] = False
    relevance = np.ones((2, 3, 3))
    relevance[1] = 0
    assert np.isnan(relevance_mass(relevance, mask)).all()


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 4, 4\).*Received: \(1, 4, 5\)"):
        relevance_mass(np.ones((1, 4, 4, 3)), np.ones((1, 4, 5), bool))


def test_edges_lie_at_the_step():
    image = np.zeros((1, 8, 8, 3))
    image[:, :, 4:] = 1
    edges = edge_map(image)[0]
    assert edges[:, 3:5].min() > 0.5 and edges[:, :2].max() == 0
