"""One contract for all drawn domains: the truth about them is exact."""

import hashlib
from importlib import import_module

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medattn.data import CARDS, draw_images, load_dataset
from medattn.data.synthetic import DOMAINS
from medattn.data.synthetic.common import evidence_of, stack

PRESETS = ("easy", "standard", "hard", "xor")
every_domain = pytest.mark.parametrize("name", sorted(DOMAINS))


@pytest.fixture(scope="module")
def many():
    """Six hundred small drawings of each domain, drawn once."""
    drawn = {}

    def draw(name):
        if name not in drawn:
            drawn[name] = DOMAINS[name].draw(range(600), seed=3, size=32)
        return drawn[name]

    return draw


@every_domain
@pytest.mark.parametrize("preset", PRESETS)
def test_evidence_is_where_image_and_twin_differ_and_has_an_owner(name, preset):
    drawn = DOMAINS[name].draw(range(24), seed=5, size=64, preset=preset)
    differs = np.zeros_like(drawn["evidence"])
    for where in np.ndindex(differs.shape):
        differs[where] = tuple(drawn["image"][where]) != tuple(drawn["twin"][where])
    np.testing.assert_array_equal(drawn["evidence"], differs)
    parts = evidence_of(drawn, DOMAINS[name].EVIDENCE)
    np.testing.assert_array_equal(np.any(list(parts.values()), 0), differs)
    assert set(drawn["label"]) == {0, 1}
    if preset != "xor":
        shown = differs.any((1, 2))
        np.testing.assert_array_equal(shown, drawn["label"] == 1)


@every_domain
@pytest.mark.parametrize("size", [32, 64, 224])
def test_label_one_means_that_evidence_can_be_seen(name, size):
    drawn = DOMAINS[name].draw(range(16), seed=6, size=size)
    np.testing.assert_array_equal(drawn["evidence"].any((1, 2)), drawn["label"] == 1)
    change = np.abs(drawn["image"].astype(int) - drawn["twin"]).max(-1)
    sick = drawn["label"] == 1
    assert (change[sick].max((1, 2)) > 20).all()
    assert drawn["image"].shape == (16, size, size, 3)


@every_domain
def test_an_image_is_the_same_in_any_batch(name):
    alone = DOMAINS[name].draw([17], seed=1, size=64)
    among = DOMAINS[name].draw([3, 17, 99, *range(200, 220)], seed=1, size=64)
    params, others = alone.pop("params"), among.pop("params")
    for key, values in alone.items():
        np.testing.assert_array_equal(values[0], among[key][1])
    for key, values in params.items():
        np.testing.assert_array_equal(values[0], others[key][1])


@every_domain
def test_the_same_image_at_two_sizes_is_one_image(name):
    small, large = (
        DOMAINS[name].draw(range(6), seed=4, size=size) for size in (64, 256)
    )
    np.testing.assert_array_equal(small["label"], large["label"])
    averaged = large["image"].reshape(6, 64, 4, 64, 4, 3).mean((2, 4))
    gap = np.abs(averaged - small["image"].astype(float)).mean((1, 2, 3))
    other = np.abs(averaged - np.roll(small["image"], 1, 0).astype(float))
    assert gap.max() < 0.45 * other.mean((1, 2, 3)).min()


@every_domain
def test_distractors_are_as_many_and_as_large_in_both_classes(many, name):
    drawn = many(name)
    sick = drawn["label"] == 1
    for values in (drawn["params"]["distractors"], drawn["distractor"].mean((1, 2))):
        one, other = values[sick], values[~sick]
        error = np.sqrt(one.var() / len(one) + other.var() / len(other))
        assert abs(one.mean() - other.mean()) < 3.5 * error
        assert other.mean() > 0


def chances(name, count, **options):
    """What chance decided about the first images, without drawing them."""
    module = import_module(f"medattn.data.synthetic.{name}.sampling")
    found = [module.parameters(1, index, 2, **options) for index in range(count)]
    return stack([{k: v for k, v in one.items() if k != "noise"} for one in found])


@pytest.mark.slow
@every_domain
def test_nuisance_alone_says_nothing_about_the_label(name):
    """A linear probe on what chance decided besides the evidence stays at 0.5."""
    p = chances(name, 6000)
    columns = [p[key].reshape(6000, -1) for key in DOMAINS[name].NUISANCE]
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3))
    scores = cross_val_predict(
        probe, np.concatenate(columns, 1), p["label"], cv=5, method="decision_function"
    )
    assert abs(roc_auc_score(p["label"], scores) - 0.5) <= 0.03


@every_domain
def test_the_twin_says_nothing_about_the_label(many, name):
    drawn = many(name)
    twins = drawn["twin"].reshape(600, 8, 4, 8, 4, 3).mean((2, 4)).reshape(600, -1)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-4))
    scores = cross_val_predict(
        probe, twins, drawn["label"], cv=4, method="decision_function"
    )
    assert (
        abs(roc_auc_score(drawn["label"], scores) - 0.5) < 0.09
    )  # standard error 0.024


@every_domain
def test_no_fixed_place_holds_the_evidence_of_most_images(many, name):
    """The mean mask of some images, as a map for the others, hits rarely."""
    drawn = many(name)
    masks = drawn["evidence"][drawn["label"] == 1]
    mean = masks[::2].mean(0)
    row, column = np.unravel_index(mean.argmax(), mean.shape)
    hits = masks[1::2, row, column].mean()
    assert hits < {"fundus": 0.35, "dermoscopy": 0.45, "chest": 0.55}[name]


@every_domain
def test_xor_cannot_be_told_from_one_factor(name):
    drawn = DOMAINS[name].draw(range(300), seed=2, size=32, preset="xor")
    parts = evidence_of(drawn, DOMAINS[name].EVIDENCE)
    shown = {kind: mask.any((1, 2)) for kind, mask in parts.items()}
    label = drawn["label"]
    for seen in shown.values():
        if seen.any():
            assert abs(np.corrcoef(seen, label)[0, 1]) < 0.175  # three standard errors
    one, other = {
        "fundus": ("microaneurysm", "exudate"),
        "dermoscopy": ("asymmetry", "colour"),
        "chest": EVIDENCE_OF_CHEST,
    }[name]
    np.testing.assert_array_equal(shown[one] ^ shown[other], label == 1)


EVIDENCE_OF_CHEST = ("right_effusion", "left_effusion")


@every_domain
@pytest.mark.parametrize("rho", [0.8, 0.0, -0.8])
def test_a_planted_artefact_follows_the_label_with_its_correlation(name, rho):
    p = chances(name, 500, shortcut=rho)
    marked = {
        "fundus": lambda: p["tab_radius"] > 0,
        "dermoscopy": lambda: p["ruler"] | (p["ink_radius"] > 0).any(1),
        "chest": lambda: p["token"] | (p["drain_width"] > 0),
    }[name]()
    assert np.corrcoef(marked, p["label"])[0, 1] == pytest.approx(rho, abs=0.13)


@every_domain
def test_test_sets_with_and_against_the_shortcut_differ_in_the_artefact_alone(name):
    """Asked for as training asks: rho in training, then rho, 0 and -rho in testing."""
    draw = lambda rho, split: draw_images(  # noqa: E731
        name, range(120), split=split, size=32, shortcut=rho
    )
    train, *tests = draw(0.9, "train"), *(draw(rho, "test") for rho in (0.9, 0, -0.9))
    found = []
    for drawn in (train, *tests):
        marked = drawn["artefact"].any((1, 2))
        found.append(np.corrcoef(marked, drawn["label"])[0, 1])
    assert found == pytest.approx([0.9, 0.9, 0, -0.9], abs=0.25)
    for drawn in tests[1:]:
        np.testing.assert_array_equal(drawn["label"], tests[0]["label"])
        marks = drawn["artefact"] | tests[0]["artefact"]
        differs = (drawn["image"] != tests[0]["image"]).any(-1)
        assert not differs[~marks].any()


@every_domain
def test_the_artefact_changes_its_own_pixels_and_nothing_else(name):
    with_, without = (
        DOMAINS[name].draw(range(40), seed=7, size=64, shortcut=rho) for rho in (1, -1)
    )
    np.testing.assert_array_equal(with_["label"], without["label"])
    sick = with_["label"] == 1
    marks = with_["artefact"][sick]
    assert marks.any((1, 2)).all() and not without["artefact"][sick].any()
    changed = (with_["image"] != without["image"]).any(-1)[sick]
    np.testing.assert_array_equal(changed, marks)


def test_suppressors_can_be_read_where_there_is_no_evidence():
    """Tint in the border, lamp on the skin, exposure in the air: there and readable."""
    eyes = DOMAINS["fundus"].draw(range(200), seed=11, size=64)
    corner = eyes["image"][:, :6, :6].reshape(200, -1, 3).mean(1)
    tint = eyes["params"]["camera"]
    assert np.corrcoef(corner[:, 0] / corner[:, 2], tint[:, 0] / tint[:, 2])[0, 1] > 0.4
    films = DOMAINS["chest"].draw(range(200), seed=11, size=64)
    plain = films["params"]["equalised"] == 0
    air = films["image"][plain][:, :4, :4, 0].mean((1, 2))
    exposure = films["params"]["exposure"][plain]
    assert np.corrcoef(air, exposure)[0, 1] < -0.4
    drawn = DOMAINS["dermoscopy"].draw(range(200), seed=11, size=32)
    moles, params = drawn["image"] / 255.0, drawn["params"]
    right, left = moles[:, 8:24, -3:].mean((1, 2, 3)), moles[:, 8:24, :3]
    slope = np.log(right / left.mean((1, 2, 3)))
    bright = params["corner"] > 1
    assert np.corrcoef(slope[bright], params["slope"][bright, 1])[0, 1] > 0.4
    for drawn, value in ((eyes, tint[:, 0]), (films, films["params"]["exposure"])):
        assert abs(np.corrcoef(value, drawn["label"])[0, 1]) < 0.22


def test_scores_of_moles_leave_a_gap_between_the_classes():
    drawn = DOMAINS["dermoscopy"].draw(range(120), seed=1, size=32)
    sick = drawn["label"] == 1
    assert drawn["score"][sick].min() > 5.45 and drawn["score"][~sick].max() < 4.75
    # 1.3 x 2 + 0.1 x 8 + 0.5 x 5 + 0.5 x 4, worked by hand
    from medattn.data.synthetic.dermoscopy.sampling import total_score

    assert total_score(2, 8, 5, 4) == pytest.approx(7.9)
    assert set(drawn["tone"]) == set(range(6))


def test_a_lobed_mole_is_as_large_as_its_twin():
    drawn = DOMAINS["dermoscopy"].draw(range(60), seed=1, size=32, preset="xor")
    p = drawn["params"]
    turn = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    for lobe, bite in zip(p["lobe"], p["bite"], strict=True):
        radius = 1 + lobe * np.exp(6 * (np.cos(turn - 1) - 1))
        radius -= bite * np.exp(6 * (np.cos(turn - 1 - np.pi) - 1))
        assert (radius**2).mean() == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(size=31), "32 to 512"),
        (dict(size=513), "32 to 512"),
        (dict(preset="hardest"), "one of .*standard"),
        (dict(shortcut=1.5), "-1 <= shortcut <= 1"),
    ],
)
@every_domain
def test_options_out_of_range_are_refused(name, options, said):
    with pytest.raises(ValueError, match=said):
        DOMAINS[name].draw([0], seed=0, **options)


def test_the_drawn_retinas_are_what_they_always_were():
    """Networks were trained on these pixels."""
    drawn = draw_images("fundus", range(64))
    assert sha(drawn["image"]).startswith("dcf5fd03341e9096")
    assert sha(drawn["evidence"]).startswith("eec18609794c3206")


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.mark.slow
@every_domain
def test_the_benchmark_is_the_one_of_the_card(name):
    data = load_dataset(name, split="benchmark")
    assert len(data) == 2000
    total = hashlib.sha256()
    for array in (data.source.images, data.source.masks, data.labels.astype("<i8")):
        total.update(np.ascontiguousarray(array).tobytes())
    assert [total.hexdigest()] == list(CARDS[name].hashes.values())
    test = load_dataset(name, split="test")
    np.testing.assert_array_equal(test.source.images, data.source.images[: len(test)])


@pytest.mark.slow
@every_domain
def test_a_trained_network_falls_to_chance_without_the_evidence(name):
    import keras

    from medattn.models import create_model

    keras.utils.set_random_seed(0)
    train = DOMAINS[name].draw(range(1600), seed=1, size=64, preset="easy")
    test = DOMAINS[name].draw(range(5000, 5400), seed=1, size=64, preset="easy")
    model = create_model("micro_resnet", num_classes=2, input_shape=(64, 64, 3))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(3e-3), loss, jit_compile=False)
    images = train["image"].astype(np.float32) / 255
    model.fit(images, train["label"], epochs=6, batch_size=32, verbose=0)

    def auroc(key):
        logits = model.predict(test[key].astype(np.float32) / 255, verbose=0)
        return roc_auc_score(test["label"], logits[:, 1] - logits[:, 0])

    assert auroc("image") > 0.85
    # The standard error of chance over 200 + 200 images is 0.029.
    assert abs(auroc("twin") - 0.5) < 0.09
