"""Map quality: by hand, against scikit-learn and Quantus, and as laws."""

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.metrics import roc_auc_score

from medattn.explain import (
    area_gain,
    deletion,
    edge_map,
    evaluate_maps,
    explainer,
    insertion,
    max_sensitivity,
    mean_rows,
    pixel_map,
    pointing_game,
    randomisation_check,
    relevance_auc,
    relevance_mass,
    relevance_rank,
    shortcut_share,
    sparseness,
)
from medattn.explain.metrics.table import BETTER

MASKED = (relevance_mass, relevance_rank, pointing_game, relevance_auc, area_gain)
# |R| = 1, 2 inside and 3, 4 outside.
BY_HAND = np.float32([[[1, -2], [3, -4]]])
TOP_ROW = np.array([[[True, True], [False, False]]])


def random_maps(seed=0, batch=6, size=12):
    """Maps without two equal pixels, and masks, none of them empty or full."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(size=(batch, size, size, 3))
    masks = (
        rng.random((batch, size, size)) < np.linspace(0.05, 0.6, batch)[:, None, None]
    )
    return maps, masks


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


def test_channels_are_pooled_as_asked():
    relevance = np.float32([3, -4]).reshape(1, 1, 1, 2)
    for channels, expected in (("sum", 1), ("norm", 5), ("max", 4)):
        assert pixel_map(relevance, channels=channels).item() == expected
    assert pixel_map(relevance, sign="signed").item() == -1


def test_channels_are_summed_before_the_size_is_taken():
    relevance = np.zeros((1, 1, 2, 2))
    relevance[0, 0, 0] = [5, -4]  # 1 in all
    relevance[0, 0, 1] = [1, 2]  # 3 in all
    mask = np.array([[[True, False]]])
    np.testing.assert_allclose(relevance_mass(relevance, mask), [0.25])


def test_shortcut_share_by_hand():
    """|R| is 2 on the evidence, 3 + 4 on the artefact; the shared pixel is evidence."""
    evidence = np.array([[[False, True], [False, False]]])
    artefact = np.array([[[False, True], [True, True]]])
    np.testing.assert_allclose(shortcut_share(BY_HAND, evidence, artefact), [7 / 9])
    nowhere = np.zeros_like(artefact)
    assert np.isnan(shortcut_share(BY_HAND, evidence, nowhere)).all()


def test_sparseness_by_hand():
    """An even map has Gini 0, one pixel of n has 1 - 1/n; 1, 2, 3, 4 have 1/4."""
    one = np.zeros((1, 5, 5))
    one[0, 2, 3] = -7
    np.testing.assert_allclose(sparseness(np.ones((1, 5, 5))), [0], atol=1e-12)
    np.testing.assert_allclose(sparseness(one), [1 - 1 / 25])
    np.testing.assert_allclose(sparseness(BY_HAND), [0.25])


def test_sparseness_is_the_mean_difference_over_twice_the_mean():
    maps, _ = random_maps()
    size = np.abs(maps.sum(-1)).reshape(len(maps), -1)
    between = np.abs(size[:, :, None] - size[:, None]).mean(axis=(1, 2))
    np.testing.assert_allclose(sparseness(maps), between / (2 * size.mean(axis=1)))


def test_auc_is_that_of_scikit_learn_ties_included():
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
def test_quantus_gives_the_same(ours, theirs):
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


class Linear:
    """In the form that Quantus asks of a model: sum of w x, two outputs."""

    def __init__(self, weights):
        self.weights = weights  # (height, width)

    def shape_input(self, x, *args, **kwargs):
        return x

    def predict(self, x, **kwargs):
        value = (x[:, 0] * self.weights).sum(axis=(1, 2))
        return np.stack([-value, value], axis=1)


def test_deletion_with_black_is_quantus_pixel_flipping():
    quantus = pytest.importorskip("quantus")
    rng = np.random.default_rng(3)
    images, weights = rng.uniform(0.1, 1, (4, 6, 6, 1)), rng.normal(size=(6, 6))
    relevance = images * weights[..., None]
    metric = quantus.PixelFlipping(
        features_in_step=6, perturb_baseline="black", disable_warnings=True
    )
    theirs = metric.evaluate_batch(
        model=Linear(weights),
        x_batch=images[..., 0][:, None].copy(),
        y_batch=np.ones(4, int),
        a_batch=relevance[..., 0][:, None],
    )
    ours = deletion(
        lambda x: (x[..., 0] * weights).sum(axis=(1, 2)),
        images,
        relevance,
        steps=6,
        # "black" there is the image's own smallest pixel.
        replacement=images.min(axis=(1, 2, 3), keepdims=True),
    )
    np.testing.assert_allclose(ours.values[:, 1:], theirs, rtol=1e-5)


def test_max_sensitivity_is_that_of_quantus():
    quantus = pytest.importorskip("quantus")
    rng = np.random.default_rng(4)
    images = rng.random((3, 5, 5, 1)).astype(np.float32)
    noises = np.random.default_rng(0)
    drawn = [noises.uniform(-0.1, 0.1, (5, 5, 1)).astype(np.float32) for _ in range(4)]
    left = iter(drawn)

    def perturb(arr, indices, **kwargs):
        return arr + np.ravel(next(left))

    def explain(x):
        return np.sin(5 * x) * x

    metric = quantus.MaxSensitivity(
        nr_samples=4, perturb_func=perturb, disable_warnings=True
    )
    metric.explain_func = lambda model, inputs, targets, **kw: explain(inputs)
    metric.explain_func_kwargs = {}
    theirs = metric.evaluate_batch(
        model=None,
        x_batch=images.transpose(0, 3, 1, 2),
        y_batch=np.zeros(3, int),
        a_batch=explain(images.transpose(0, 3, 1, 2)),
    )
    ours = max_sensitivity(explain, images, radius=0.1, samples=4, seed=0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_random_map_scores_chance():
    rng = np.random.default_rng(0)
    mask = np.zeros((200, 32, 32), bool)
    mask[:, 4:12, 6:20] = True
    noise, covered = rng.normal(size=mask.shape), mask.mean()
    for measure, chance in (
        (relevance_mass, covered),
        (relevance_rank, covered),
        (relevance_auc, 0.5),
        (area_gain, 1),
    ):
        assert measure(noise, mask).mean() == pytest.approx(chance, rel=0.05)


@pytest.mark.parametrize("measure", MASKED)
def test_the_mask_itself_is_the_best_map_and_an_even_one_scores_chance(measure):
    _, masks = random_maps()
    covered = masks.mean(axis=(1, 2))
    best = 1 / covered if measure is area_gain else 1
    np.testing.assert_allclose(measure(masks.astype(float), masks), best)
    chance = {relevance_auc: 0.5, area_gain: 1}.get(measure, covered)
    np.testing.assert_allclose(measure(np.ones(masks.shape), masks), chance)


@pytest.mark.parametrize("measure", MASKED)
def test_no_evidence_is_unknown_not_zero(measure):
    mask = np.zeros((2, 3, 3), bool)
    mask[1, 0, 0] = True
    found = measure(np.arange(18.0).reshape(2, 3, 3) + 1, mask)
    assert np.isnan(found[0]) and np.isfinite(found[1])


def test_no_relevance_is_unknown_not_zero():
    nothing, mask = np.zeros((1, 3, 3)), np.ones((1, 3, 3), bool)
    for found in (relevance_mass(nothing, mask), sparseness(nothing)):
        assert np.isnan(found).all()


def test_near_misses_count_within_the_tolerance():
    maps, mask = np.zeros((1, 5, 5)), np.zeros((1, 5, 5), bool)
    maps[0, 2, 4], mask[0, 2, 1] = 1, True
    for tolerance, hit in ((0, 0), (2, 0), (3, 1)):
        assert pointing_game(maps, mask, tolerance=tolerance) == [hit]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: relevance_mass(np.ones((1, 4, 4, 3)), np.ones((1, 4, 5))), "mask of"),
        (lambda: relevance_mass(BY_HAND, TOP_ROW, sign="signed"), "needs amounts"),
        (lambda: relevance_auc(BY_HAND, TOP_ROW, sign="minus"), "sign='minus'"),
        (lambda: sparseness(BY_HAND, channels="mean"), "channels='mean'"),
        (lambda: sparseness(np.ones((4, 4))), "no maps"),
        (lambda: sparseness(np.full((1, 2, 2), np.nan)), "4 that are NaN"),
        (
            lambda: deletion(len, np.ones((1, 3, 3, 1)), np.ones((1, 4, 4))),
            "do not fit",
        ),
        (
            lambda: deletion(len, np.ones((1, 2, 2, 1)), BY_HAND, replacement="noise"),
            "replacement='noise'",
        ),
        (lambda: deletion(len, np.ones((1, 2, 2, 1)), BY_HAND, steps=5), "steps=5"),
        (lambda: deletion(len, np.ones((1, 2, 2, 1)), BY_HAND, steps=2), "one number"),
        (lambda: max_sensitivity(np.sin, np.ones((1, 2, 2, 1)), radius=0), "radius=0"),
    ],
)
def test_bad_input_is_refused_in_three_parts(wrong, told):
    with pytest.raises(ValueError, match=r"Expected.*Received: ") as error:
        wrong()
    assert told in str(error.value)


def test_edges_lie_at_the_step():
    image = np.zeros((1, 8, 8, 3))
    image[:, :, 4:] = 1
    edges = edge_map(image)[0]
    assert edges[:, 3:5].min() > 0.5 and edges[:, :2].max() == 0


def test_deletion_and_insertion_by_hand():
    """Pixels 4, 3, 2, 1 that are summed: taking the largest first leaves 10, 6, 3, 1,
    0, whose trapezoids over quarters make 3.75; putting it in first makes 0, 4, 7, 9,
    10, so 6.25."""
    images = np.float32([4, 3, 2, 1]).reshape(1, 2, 2, 1)

    def predict(x):
        return x.sum(axis=(1, 2, 3))

    down = deletion(predict, images, images, steps=4, replacement="zeros")
    up = insertion(predict, images, images, steps=4, replacement="zeros")
    np.testing.assert_allclose(down.values, [[10, 6, 3, 1, 0]])
    np.testing.assert_allclose(up.values, [[0, 4, 7, 9, 10]])
    np.testing.assert_allclose([down.area[0], up.area[0]], [3.75, 6.25])
    np.testing.assert_allclose(down.fractions, [0, 0.25, 0.5, 0.75, 1])


@pytest.mark.parametrize("replacement", ["zeros", "mean", "blur"])
def test_the_true_contributions_beat_a_random_order(replacement):
    """On a linear model, whose contributions w (x - r) are known exactly."""
    rng = np.random.default_rng(5)
    images = rng.random((8, 16, 16, 3)).astype(np.float32)
    weights = rng.normal(size=(16, 16, 3))

    def predict(x):
        return (x * weights).sum(axis=(1, 2, 3))

    whole = dict(steps=1, replacement=replacement)
    away = []  # what is in the place of the image, from the end of a curve
    deletion(lambda x: away.append(x) or predict(x), images, images, **whole)
    perfect, noise = weights * (images - away[-1]), rng.normal(size=images.shape)
    for curve, sign in ((deletion, 1), (insertion, -1)):
        good, chance = (
            sign * curve(predict, images, m, replacement=replacement).area
            for m in (perfect, noise)
        )
        assert (good < chance).all()


def gradient_of(model):
    kernel = model.layers[-1].kernel.numpy()[:, 0].reshape(1, 6, 6, 1)
    return lambda images: images * kernel


@pytest.fixture(scope="module")
def small():
    """A linear model of one weight layer, and images."""
    keras.utils.set_random_seed(6)
    inputs = keras.Input((6, 6, 1))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs)))
    return model, np.random.default_rng(6).random((3, 6, 6, 1)).astype(np.float32)


def test_randomising_changes_what_depends_on_weights_and_gives_them_back(small):
    model, images = small
    before = model.get_weights()
    found = randomisation_check(gradient_of, model, images)
    assert found.depths == [None, model.layers[-1].name]
    np.testing.assert_allclose([found.spearman[0], found.ssim[0]], 1)
    assert np.abs(found.spearman[1]).max() < 0.6
    edges = randomisation_check(lambda _: edge_map, model, images)
    np.testing.assert_allclose([edges.spearman, edges.ssim], 1)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_weights_come_back_even_when_the_explanation_fails(small):
    model, images = small
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


def test_rank_correlation_is_that_of_scipy(small):
    from scipy.stats import spearmanr

    model, images = small
    maps = []
    explain = gradient_of

    def kept(model):
        return lambda x: maps.append(explain(model)(x)) or maps[-1]

    found = randomisation_check(kept, model, images, sign="signed")
    expected = [spearmanr(a.ravel(), b.ravel())[0] for a, b in zip(*maps, strict=True)]
    np.testing.assert_allclose(found.spearman[1], expected)


def test_sensitivity_of_the_image_itself_is_the_noise_over_the_image():
    """R = x: |x + d - x| / |x|, largest over the noises, at most radius / x."""
    images = np.full((1, 4, 4, 1), 0.5, np.float32)
    found = max_sensitivity(lambda x: x, images, radius=0.05, samples=3, seed=1)
    noise = np.random.default_rng(1).uniform(-0.05, 0.05, (3, 16)).astype(np.float32)
    expected = np.sqrt((noise**2).sum(axis=1)).max() / (0.5 * 4)
    np.testing.assert_allclose(found, [expected], rtol=1e-5)


@pytest.mark.slow
def test_last_layer_randomised_changes_lrp_but_not_edges(trained, drawings):
    model, images = trained("micro_resnet"), drawings["image"][:2]
    before = np.asarray(model(images))
    with_lrp = explainer("lrp.epsilon", 1)
    found = randomisation_check(with_lrp, model, images, stages=4)
    assert found.spearman[1:].max() < 0.95
    edges = randomisation_check(lambda _: edge_map, model, images, stages=4)
    np.testing.assert_allclose(edges.spearman, 1)
    np.testing.assert_array_equal(np.asarray(model(images)), before)


@pytest.mark.slow
def test_the_table_has_every_measure_for_every_method_and_both_baselines(
    trained, drawings
):
    model = trained("cbam_micro_resnet")
    sick = np.flatnonzero(drawings["label"])[:4]
    images, masks = drawings["image"][sick], drawings["evidence"][sick]
    artefacts = np.zeros_like(masks)
    artefacts[:, :6, :6] = True
    names = ["lrp.epsilon", "attention.spatial_gate"]
    before = model.get_weights()
    table = evaluate_maps(
        model,
        images,
        names,
        neuron=1,
        masks=masks,
        artefacts=artefacts,
        steps=8,
        samples=2,
    )
    assert list(table) == [*names, "random map", "edge detector"]
    for row in table.values():
        assert set(row) == set(BETTER)
        assert {v.shape for v in row.values()} == {(4,)}
    lrp, noise, edges = (
        table[k] for k in ("lrp.epsilon", "random map", "edge detector")
    )
    assert lrp["area_gain"].mean() > 2 * noise["area_gain"].mean()
    np.testing.assert_allclose(edges["randomised_spearman"], 1)
    assert np.abs(noise["randomised_spearman"]).max() < 0.1
    assert (lrp["randomised_spearman"] < 0.9).all()
    rows = mean_rows(table)
    assert [row["map"] for row in rows] == list(table)
    assert rows[0]["area_gain"] == pytest.approx(lrp["area_gain"].mean())
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_table_without_masks_and_checks_has_what_needs_neither(small):
    model, images = small
    table = evaluate_maps(
        model, images, {"mine": gradient_of}, neuron=[0, 0, 1], checks=False, steps=4
    )
    assert set(table["mine"]) == {"deletion", "insertion", "sparseness"}
    with pytest.raises(ValueError, match="Received: .'random map'"):
        evaluate_maps(model, images, {"random map": gradient_of}, neuron=0)
