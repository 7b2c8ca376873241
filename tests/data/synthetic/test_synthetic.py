"""One contract for all synthetic domains: evidence and labels are exact."""

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
from medattn.data.synthetic.common import evidence_by_kind, stack

PRESETS = ("easy", "standard", "hard", "xor")
every_domain = pytest.mark.parametrize("name", sorted(DOMAINS))


@pytest.fixture(scope="module")
def many():
    """Six hundred small images of each domain, rendered once."""
    images = {}

    def render(name):
        if name not in images:
            images[name] = DOMAINS[name].render(range(600), seed=3, size=32)
        return images[name]

    return render


@every_domain
@pytest.mark.parametrize("preset", PRESETS)
def test_evidence_is_where_image_and_twin_differ_and_has_a_kind(name, preset):
    images = DOMAINS[name].render(range(24), seed=5, size=64, preset=preset)
    differs = np.zeros_like(images["evidence"])
    for where in np.ndindex(differs.shape):
        differs[where] = tuple(images["image"][where]) != tuple(images["twin"][where])
    np.testing.assert_array_equal(images["evidence"], differs)
    parts = evidence_by_kind(images, DOMAINS[name].EVIDENCE)
    np.testing.assert_array_equal(np.any(list(parts.values()), 0), differs)
    assert set(images["label"]) == {0, 1}
    if preset != "xor":
        shown = differs.any((1, 2))
        np.testing.assert_array_equal(shown, images["label"] == 1)


@every_domain
@pytest.mark.parametrize("size", [32, 64, 224])
def test_label_one_means_that_evidence_can_be_seen(name, size):
    images = DOMAINS[name].render(range(16), seed=6, size=size)
    np.testing.assert_array_equal(images["evidence"].any((1, 2)), images["label"] == 1)
    change = np.abs(images["image"].astype(int) - images["twin"]).max(-1)
    sick = images["label"] == 1
    assert (change[sick].max((1, 2)) > 20).all()
    assert images["image"].shape == (16, size, size, 3)


@every_domain
def test_an_image_is_the_same_in_every_batch(name):
    alone = DOMAINS[name].render([17], seed=1, size=64)
    batch = DOMAINS[name].render([3, 17, 99, *range(200, 220)], seed=1, size=64)
    params, others = alone.pop("params"), batch.pop("params")
    for key, values in alone.items():
        np.testing.assert_array_equal(values[0], batch[key][1])
    for key, values in params.items():
        np.testing.assert_array_equal(values[0], others[key][1])


@every_domain
def test_the_same_image_at_two_sizes_is_one_image(name):
    small, large = (
        DOMAINS[name].render(range(6), seed=4, size=size) for size in (64, 256)
    )
    np.testing.assert_array_equal(small["label"], large["label"])
    averaged = large["image"].reshape(6, 64, 4, 64, 4, 3).mean((2, 4))
    gap = np.abs(averaged - small["image"].astype(float)).mean((1, 2, 3))
    other = np.abs(averaged - np.roll(small["image"], 1, 0).astype(float))
    assert gap.max() < 0.45 * other.mean((1, 2, 3)).min()


@every_domain
def test_distractors_are_as_many_and_as_large_in_both_classes(many, name):
    images = many(name)
    sick = images["label"] == 1
    for values in (images["params"]["distractors"], images["distractor"].mean((1, 2))):
        one, other = values[sick], values[~sick]
        error = np.sqrt(one.var() / len(one) + other.var() / len(other))
        assert abs(one.mean() - other.mean()) < 3.5 * error
        assert other.mean() > 0


def parameters(name, count, **options):
    """The parameters of the first images, without rendering them."""
    module = import_module(f"medattn.data.synthetic.{name}.sampling")
    found = [module.parameters(1, index, 2, **options) for index in range(count)]
    return stack([{k: v for k, v in one.items() if k != "noise"} for one in found])


@pytest.mark.slow
@every_domain
def test_nuisance_does_not_predict_the_label(name):
    """A linear probe on the parameters without the evidence stays at 0.5."""
    p = parameters(name, 6000)
    columns = [p[key].reshape(6000, -1) for key in DOMAINS[name].NUISANCE]
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3))
    scores = cross_val_predict(
        probe, np.concatenate(columns, 1), p["label"], cv=5, method="decision_function"
    )
    assert abs(roc_auc_score(p["label"], scores) - 0.5) <= 0.03


@every_domain
def test_the_twin_does_not_predict_the_label(many, name):
    images = many(name)
    twins = images["twin"].reshape(600, 8, 4, 8, 4, 3).mean((2, 4)).reshape(600, -1)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-4))
    scores = cross_val_predict(
        probe, twins, images["label"], cv=4, method="decision_function"
    )
    assert (
        abs(roc_auc_score(images["label"], scores) - 0.5) < 0.09
    )  # standard error 0.024


@every_domain
def test_no_pixel_holds_the_evidence_of_most_images(many, name):
    """The mean mask of some images, as a map for the others, hits rarely."""
    images = many(name)
    masks = images["evidence"][images["label"] == 1]
    mean = masks[::2].mean(0)
    row, column = np.unravel_index(mean.argmax(), mean.shape)
    hits = masks[1::2, row, column].mean()
    assert hits < {"fundus": 0.35, "dermoscopy": 0.45, "chest": 0.55}[name]


@every_domain
def test_under_xor_no_single_factor_predicts_the_label(name):
    images = DOMAINS[name].render(range(300), seed=2, size=32, preset="xor")
    parts = evidence_by_kind(images, DOMAINS[name].EVIDENCE)
    shown = {kind: mask.any((1, 2)) for kind, mask in parts.items()}
    label = images["label"]
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
    p = parameters(name, 500, shortcut=rho)
    marked = {
        "fundus": lambda: p["tab_radius"] > 0,
        "dermoscopy": lambda: p["ruler"] | (p["ink_radius"] > 0).any(1),
        "chest": lambda: p["token"] | (p["drain_width"] > 0),
    }[name]()
    assert np.corrcoef(marked, p["label"])[0, 1] == pytest.approx(rho, abs=0.13)


@every_domain
def test_test_sets_with_and_against_the_shortcut_differ_only_in_the_artefact(name):
    """As in training: rho in the training split, then rho, 0 and -rho in testing."""
    draw = lambda rho, split: draw_images(  # noqa: E731
        name, range(120), split=split, size=32, shortcut=rho
    )
    train, *tests = draw(0.9, "train"), *(draw(rho, "test") for rho in (0.9, 0, -0.9))
    found = []
    for images in (train, *tests):
        marked = images["artefact"].any((1, 2))
        found.append(np.corrcoef(marked, images["label"])[0, 1])
    assert found == pytest.approx([0.9, 0.9, 0, -0.9], abs=0.25)
    for images in tests[1:]:
        np.testing.assert_array_equal(images["label"], tests[0]["label"])
        marks = images["artefact"] | tests[0]["artefact"]
        differs = (images["image"] != tests[0]["image"]).any(-1)
        assert not differs[~marks].any()


@every_domain
def test_the_artefact_changes_only_its_own_pixels(name):
    with_, without = (
        DOMAINS[name].render(range(40), seed=7, size=64, shortcut=rho)
        for rho in (1, -1)
    )
    np.testing.assert_array_equal(with_["label"], without["label"])
    sick = with_["label"] == 1
    marks = with_["artefact"][sick]
    assert marks.any((1, 2)).all() and not without["artefact"][sick].any()
    changed = (with_["image"] != without["image"]).any(-1)[sick]
    np.testing.assert_array_equal(changed, marks)


def test_suppressors_are_visible_outside_the_evidence():
    """Tint in the border, lamp on the skin, exposure in the air."""
    eyes = DOMAINS["fundus"].render(range(200), seed=11, size=64)
    corner = eyes["image"][:, :6, :6].reshape(200, -1, 3).mean(1)
    tint = eyes["params"]["camera"]
    assert np.corrcoef(corner[:, 0] / corner[:, 2], tint[:, 0] / tint[:, 2])[0, 1] > 0.4
    films = DOMAINS["chest"].render(range(200), seed=11, size=64)
    plain = films["params"]["equalised"] == 0
    air = films["image"][plain][:, :4, :4, 0].mean((1, 2))
    exposure = films["params"]["exposure"][plain]
    assert np.corrcoef(air, exposure)[0, 1] < -0.4
    images = DOMAINS["dermoscopy"].render(range(200), seed=11, size=32)
    moles, params = images["image"] / 255.0, images["params"]
    right, left = moles[:, 8:24, -3:].mean((1, 2, 3)), moles[:, 8:24, :3]
    slope = np.log(right / left.mean((1, 2, 3)))
    bright = params["corner"] > 1
    assert np.corrcoef(slope[bright], params["slope"][bright, 1])[0, 1] > 0.4
    for images, value in ((eyes, tint[:, 0]), (films, films["params"]["exposure"])):
        assert abs(np.corrcoef(value, images["label"])[0, 1]) < 0.22


def test_scores_of_moles_are_apart_between_the_classes():
    images = DOMAINS["dermoscopy"].render(range(120), seed=1, size=32)
    sick = images["label"] == 1
    assert images["score"][sick].min() > 5.45 and images["score"][~sick].max() < 4.75
    # 1.3 x 2 + 0.1 x 8 + 0.5 x 5 + 0.5 x 4, worked by hand
    from medattn.data.synthetic.dermoscopy.sampling import total_score

    assert total_score(2, 8, 5, 4) == pytest.approx(7.9)
    assert set(images["tone"]) == set(range(6))


def test_a_lobed_mole_is_as_large_as_its_twin():
    images = DOMAINS["dermoscopy"].render(range(60), seed=1, size=32, preset="xor")
    p = images["params"]
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
        DOMAINS[name].render([0], seed=0, **options)


def test_the_pixels_of_synthetic_retinas_never_change():
    """Networks were trained on these pixels."""
    images = draw_images("fundus", range(64))
    assert sha(images["image"]).startswith("dcf5fd03341e9096")
    assert sha(images["evidence"]).startswith("eec18609794c3206")


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.mark.slow
@every_domain
def test_the_benchmark_has_the_hash_of_its_card(name):
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
def test_without_the_evidence_a_trained_network_scores_at_random(name):
    import keras

    from medattn.models import create_model

    keras.utils.set_random_seed(0)
    train = DOMAINS[name].render(range(1600), seed=1, size=64, preset="easy")
    test = DOMAINS[name].render(range(5000, 5400), seed=1, size=64, preset="easy")
    model = create_model("micro_resnet", num_classes=2, input_shape=(64, 64, 3))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(3e-3), loss, jit_compile=False)
    images = train["image"].astype(np.float32) / 255
    model.fit(images, train["label"], epochs=6, batch_size=32, verbose=0)

    def auroc(key):
        logits = model.predict(test[key].astype(np.float32) / 255, verbose=0)
        return roc_auc_score(test["label"], logits[:, 1] - logits[:, 0])

    assert auroc("image") > 0.85
    # The standard error of a random classifier over 200 + 200 images is 0.029.
    assert abs(auroc("twin") - 0.5) < 0.09
