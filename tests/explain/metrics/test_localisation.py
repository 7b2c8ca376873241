"""Localisation: by hand, against scikit-learn and Quantus, and properties."""

import numpy as np
import pytest
from metric_maps import BY_HAND, TOP_ROW, random_maps
from sklearn.metrics import roc_auc_score

from medattn.explain import (
    area_gain,
    pointing_game,
    relevance_auc,
    relevance_mass,
    relevance_rank,
    shortcut_share,
    sparseness,
)

MASKED = (relevance_mass, relevance_rank, pointing_game, relevance_auc, area_gain)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (relevance_mass, 0.3),  # 1 + 2 of 10
        (area_gain, 0.6),  # 0.3 on half of the image
        (relevance_rank, 0),  # the two largest are 3 and 4
        (pointing_game, 0),  # the largest is 4
        (relevance_auc, 0),  # 1 and 2 are below 3 and 4
    ],
)
def test_four_pixels_by_hand(measure, expected):
    np.testing.assert_allclose(measure(BY_HAND, TOP_ROW), [expected])


@pytest.mark.parametrize(
    ("measure", "expected"),
    [(relevance_mass, 0.25), (relevance_rank, 0.5), (relevance_auc, 0.375)],
)
def test_the_positive_part_alone_by_hand(measure, expected):
    """Positive part 1, 0 | 3, 0: a quarter inside; 3 and 1 lead, one of them inside;
    of the four pairs 1 > 0 wins, 0 = 0 is half a win: 1.5 of 4."""
    found = measure(BY_HAND, TOP_ROW, sign="positive")
    np.testing.assert_allclose(found, [expected])


def test_channels_are_summed_before_the_absolute_value_is_taken():
    relevance = np.zeros((1, 1, 2, 2))
    relevance[0, 0, 0] = [5, -4]  # 1 in total
    relevance[0, 0, 1] = [1, 2]  # 3 in total
    mask = np.array([[[True, False]]])
    np.testing.assert_allclose(relevance_mass(relevance, mask), [0.25])


def test_shortcut_share_by_hand():
    """|R| is 2 on the evidence, 3 + 4 on the artefact; the shared pixel is evidence."""
    evidence = np.array([[[False, True], [False, False]]])
    artefact = np.array([[[False, True], [True, True]]])
    np.testing.assert_allclose(shortcut_share(BY_HAND, evidence, artefact), [7 / 9])
    empty = np.zeros_like(artefact)
    assert np.isnan(shortcut_share(BY_HAND, evidence, empty)).all()


def test_auc_equals_scikit_learn_with_ties():
    maps, masks = random_maps()
    maps = np.rint(2 * maps)  # many ties
    size = np.abs(maps.sum(-1))
    expected = [
        roc_auc_score(m.ravel(), s.ravel()) for m, s in zip(masks, size, strict=True)
    ]
    np.testing.assert_allclose(relevance_auc(maps, masks), expected)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (relevance_mass, "RelevanceMassAccuracy"),
        (relevance_rank, "RelevanceRankAccuracy"),
        (pointing_game, "PointingGame"),
        (relevance_auc, "AUC"),
        (sparseness, "Sparseness"),
    ],
)
def test_metrics_equal_those_of_quantus(ours, theirs):
    quantus = pytest.importorskip("quantus")
    metric = getattr(quantus, theirs)(disable_warnings=True)
    maps, masks = random_maps()
    size = np.abs(maps.sum(axis=-1))
    given = dict(a_batch=size.copy()[:, None], s_batch=masks[:, None])
    if ours is sparseness:
        expected = metric.evaluate_batch(x_batch=None, a_batch=size.copy())
        np.testing.assert_allclose(ours(maps), expected, rtol=1e-6)
    else:
        expected = np.asarray(metric.evaluate_batch(**given), float)
        np.testing.assert_allclose(ours(maps, masks), expected, rtol=1e-9)


def test_a_random_map_has_the_expected_values():
    rng = np.random.default_rng(0)
    mask = np.zeros((200, 32, 32), bool)
    mask[:, 4:12, 6:20] = True
    noise, covered = rng.normal(size=mask.shape), mask.mean()
    for measure, expected in (
        (relevance_mass, covered),
        (relevance_rank, covered),
        (relevance_auc, 0.5),
        (area_gain, 1),
    ):
        assert measure(noise, mask).mean() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("measure", MASKED)
def test_the_mask_itself_is_the_best_map_and_a_constant_map_equals_a_random_one(
    measure,
):
    _, masks = random_maps()
    covered = masks.mean(axis=(1, 2))
    best = 1 / covered if measure is area_gain else 1
    np.testing.assert_allclose(measure(masks.astype(float), masks), best)
    random = {relevance_auc: 0.5, area_gain: 1}.get(measure, covered)
    np.testing.assert_allclose(measure(np.ones(masks.shape), masks), random)


@pytest.mark.parametrize("measure", MASKED)
def test_no_evidence_gives_nan(measure):
    mask = np.zeros((2, 3, 3), bool)
    mask[1, 0, 0] = True
    found = measure(np.arange(18.0).reshape(2, 3, 3) + 1, mask)
    assert np.isnan(found[0]) and np.isfinite(found[1])


def test_no_relevance_gives_nan():
    empty, mask = np.zeros((1, 3, 3)), np.ones((1, 3, 3), bool)
    for found in (relevance_mass(empty, mask), sparseness(empty)):
        assert np.isnan(found).all()


def test_misses_within_the_tolerance_are_hits():
    maps, mask = np.zeros((1, 5, 5)), np.zeros((1, 5, 5), bool)
    maps[0, 2, 4], mask[0, 2, 1] = 1, True
    for tolerance, hit in ((0, 0), (2, 0), (3, 1)):
        assert pointing_game(maps, mask, tolerance=tolerance) == [hit]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: relevance_mass(np.ones((1, 4, 4, 3)), np.ones((1, 4, 5))), "mask of"),
        (lambda: relevance_mass(BY_HAND, TOP_ROW, sign="signed"), "needs values >= 0"),
        (lambda: relevance_auc(BY_HAND, TOP_ROW, sign="minus"), "sign='minus'"),
    ],
)
def test_a_wrong_mask_or_sign_is_refused_in_three_parts(call, message):
    with pytest.raises(ValueError, match=r"Expected.*Received: ") as error:
        call()
    assert message in str(error.value)
