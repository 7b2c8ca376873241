"""Drawn retinas: the truth about them is exact."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medattn.data import CARDS, draw_images, load_dataset
from medattn.data.synthetic import fundus
from medattn.data.synthetic.fundus_chances import parameters


def test_evidence_is_where_image_and_twin_differ():
    drawn = fundus.draw(range(30), seed=5, size=96)
    for image, twin, evidence in zip(
        drawn["image"], drawn["twin"], drawn["evidence"], strict=True
    ):
        for row, column in np.ndindex(evidence.shape):
            differs = tuple(image[row, column]) != tuple(twin[row, column])
            assert differs == evidence[row, column]


@pytest.mark.parametrize("size", [32, 64, 224])
def test_every_diseased_eye_shows_evidence_and_no_healthy_one(size):
    drawn = fundus.draw(range(60), seed=6, size=size)
    shown = drawn["evidence"].any(axis=(1, 2))
    np.testing.assert_array_equal(shown, drawn["label"] == 1)
    np.testing.assert_array_equal(drawn["label"], drawn["grade"] > 0)
    assert set(drawn["grade"]) == {0, 1, 2, 3, 4}


def test_an_image_is_the_same_in_any_batch():
    alone = fundus.draw([17], seed=1)
    among = fundus.draw([3, 17, 99], seed=1)
    for key, values in alone.items():
        np.testing.assert_array_equal(values[0], among[key][1])


def test_another_seed_or_index_is_another_eye():
    one, other = fundus.draw([0, 1], seed=1)["image"], fundus.draw([0], seed=2)["image"]
    assert (one[0] != one[1]).mean() > 0.5
    assert (one[0] != other[0]).mean() > 0.5


def test_the_same_eye_at_two_sizes_is_one_eye():
    small, large = (fundus.draw(range(8), seed=4, size=size) for size in (64, 256))
    np.testing.assert_array_equal(small["grade"], large["grade"])
    averaged = large["image"].reshape(8, 64, 4, 64, 4, 3).mean((2, 4))
    gap = np.abs(averaged - small["image"].astype(float)).mean()
    assert gap < 6  # grey levels of 255; two different eyes are about 40 apart


def test_evidence_is_darker_or_brighter_than_the_twin_not_just_other_noise():
    drawn = fundus.draw(range(60), seed=8)
    change = np.abs(drawn["image"].astype(int) - drawn["twin"]).max(-1)
    assert np.median(change[drawn["evidence"]]) > 15


def test_distractors_are_as_many_in_both_classes():
    drawn = fundus.draw(range(1500), seed=9, size=32)
    sick = drawn["label"] == 1
    means = [drawn["distractors"][part].mean() for part in (sick, ~sick)]
    # Seven to eight spots an eye, standard deviation about 2.7: the difference of the
    # means has a standard error of 0.14.
    assert abs(means[0] - means[1]) < 0.45
    assert min(means) > 5


def test_without_its_lesions_an_eye_says_nothing_about_its_label():
    """A linear probe on the healthy twins cannot do better than chance."""
    drawn = fundus.draw(range(3000), seed=10, size=32)
    twins = drawn["twin"].reshape(3000, 16, 2, 16, 2, 3).mean((2, 4)).reshape(3000, -1)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=300))
    probe.fit(twins[:2000], drawn["label"][:2000])
    scores = probe.decision_function(twins[2000:])
    # The standard error of an AUROC of 0.5 over 500 + 500 images is 0.018.
    assert abs(roc_auc_score(drawn["label"][2000:], scores) - 0.5) < 0.055


def test_the_cameras_tint_can_be_read_from_the_border_alone():
    """The suppressor is there: border colour follows the eye's tint."""
    drawn = fundus.draw(range(300), seed=11, size=64)
    corner = drawn["image"][:, :6, :6].reshape(300, -1, 3).mean(1)
    ratio = corner[:, 0] / corner[:, 2]  # red over blue, free of the border's level
    camera = [parameters(11, index, 64)["camera"] for index in range(300)]
    tint = np.array([c[0] / c[2] for c in camera])
    assert np.corrcoef(ratio, tint)[0, 1] > 0.4


@pytest.mark.parametrize("size", [31, 513])
def test_a_size_out_of_range_is_refused(size):
    with pytest.raises(ValueError, match="32 to 512"):
        fundus.draw([0], seed=0, size=size)


def test_the_card_tells_what_the_loader_finds():
    card = CARDS["fundus"]
    for split, size in card.sizes.items():
        found = load_dataset("fundus", split=split)
        assert len(found) == size
        assert len(set(found.ids)) == size
        assert set(found.labels) == set(range(len(card.classes)))
        assert 0.45 < found.labels.mean() < 0.55


def test_no_image_is_in_two_splits():
    seen = [
        {image.tobytes() for image in load_dataset("fundus", split=split)._images}
        for split in ("train", "validation", "test")
    ]
    assert [len(part) for part in seen] == [4000, 500, 1000]
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def test_single_drawings_are_those_of_the_split():
    arrays = load_dataset("fundus", split="test").arrays()
    drawn = draw_images("fundus", [0, 999])
    np.testing.assert_array_equal(
        arrays.images[[0, 999]], drawn["image"].astype(np.float32) / 255
    )
    np.testing.assert_array_equal(arrays.masks[[0, 999]], drawn["evidence"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(name="retina"), r"one of \['fundus'\]"),
        (dict(name="fundus", split="train2"), "train2"),
        (dict(name="fundus", regime=0), "0 < regime <= 1"),
        (dict(name="fundus", regime=0.0001), "regime >= "),
    ],
)
def test_what_cannot_be_loaded_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        load_dataset(**arguments)


def test_positions_outside_the_split_are_refused():
    with pytest.raises(ValueError, match="from 0 to 999"):
        draw_images("fundus", [1000])
