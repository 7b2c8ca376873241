"""A gate set by hand solves the task that no sum can solve."""

import keras
import numpy as np
import pytest
from scipy.ndimage import maximum_filter

from medattn.data import draw_images
from medattn.data.synthetic.common import evidence_by_kind
from medattn.data.synthetic.fundus_context import EVIDENCE
from medattn.layers import SqueezeExcite
from medattn.study.analyse.hand_set import context
from medattn.study.analyse.hand_set.bound import additive_bound


@pytest.fixture(scope="module")
def networks():
    return {gate: context.context_network(gate=gate) for gate in (False, True)}


@pytest.fixture(scope="module")
def scores():
    return context.score_context(250)


def test_the_gate_exceeds_what_any_additive_score_can_reach(scores):
    assert scores["gate"] > 0.9 > 0.7975
    assert scores["bound_nuisance"] == pytest.approx(additive_bound(nuisance=True))


def test_no_linear_head_on_the_same_features_exceeds_the_bound(scores):
    assert scores["sum"] <= scores["best_sum"] < scores["bound_nuisance"] - 0.05


def test_the_best_head_on_a_feature_that_tells_the_label_is_perfect():
    labels = np.arange(20) % 2
    noise = np.random.default_rng(0).normal(size=(20, 3))
    features = np.concatenate([100.0 * labels[:, None], noise], 1)
    assert context.best_sum(features, labels) == 1
    assert 0.5 <= context.best_sum(noise[:, [0, 0, 1, 2]], labels) < 1


def mixed_halves(seed):
    """A pale disc or none on the left, dark or bright dots on the right: four images.

    A strip in the middle, wider than a window, is the same in all.
    """
    rng = np.random.default_rng(seed)
    images = np.full((2, 2, 64, 64, 3), 0.3, np.float32)
    images[0, :, 20:30, 5:15] = 1.0, 0.9, 0.75
    dots = rng.permutation(64 * 24)[:12]
    rows, columns = dots // 24, 40 + dots % 24
    images[:, 0, rows, columns] = 0.3, 0.05, 0.05
    images[:, 1, rows, columns] = 0.9, 0.9, 0.3
    return images.reshape(4, 64, 64, 3)


@pytest.mark.parametrize("seed", range(3))
def test_without_the_gate_distant_parts_add_up_and_with_it_they_do_not(networks, seed):
    found = {}
    for gate, model in networks.items():
        one, two, three, four = np.asarray(model(mixed_halves(seed)))[:, 1]
        found[gate] = abs((one + four) - (two + three)), max(abs(one), abs(four))
    assert found[False][0] < 1e-4 * found[False][1]
    assert found[True][0] > 1e-2 * found[True][1]


def test_its_scores_are_sigmoids_of_the_disc_against_the_ground(networks):
    images = draw_images("fundus_context", range(20))["image"].astype(np.float32) / 255
    (gate,) = [one for one in networks[True].layers if isinstance(one, SqueezeExcite)]
    assert not gate.use_bias and len(gate.get_weights()) == 2
    inside = images[:, 3:-3, 3:-3].astype(np.float64)
    pale = np.maximum(inside[..., 2] - 0.45, 0).mean((1, 2))
    t = 1e5 * pale - 50 * inside[..., 0].mean((1, 2))
    features = networks[True].get_layer("detectors_relu").output

    read = keras.Model(networks[True].input, features)
    found = np.asarray(gate.scores(read(images)))[:, 0, 0]
    expected = 1 / (1 + np.exp(np.stack([t, -t], 1)))  # dark, bright
    np.testing.assert_allclose(found[:, :2], expected, atol=1e-3)


def test_no_window_of_the_networks_sees_the_cue_and_a_lesion():
    drawn = draw_images("fundus_context", range(60))
    masks = evidence_by_kind(drawn, EVIDENCE)
    cue = masks.pop("cue")
    reach = (1, 2 * context.WINDOW - 1, 2 * context.WINDOW - 1)
    near = maximum_filter(cue, reach)  # pixels that share a window with the cue
    assert not (near & np.any(list(masks.values()), 0)).any()


def test_what_is_written_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(context, "score_context", lambda images: {"gate": 0.959})
    context.write_context(tmp_path)
    assert context.read_context(tmp_path) == {"gate": 0.959}
    assert context.read_context(tmp_path / "none") == {}
