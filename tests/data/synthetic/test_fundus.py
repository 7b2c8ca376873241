"""Synthetic retinas as a data set: grades, splits, and options that are refused."""

import numpy as np
import pytest

from medattn.data import CARDS, draw_images, load_dataset
from medattn.data.synthetic import fundus


def test_every_grade_occurs_and_determines_the_label():
    images = fundus.render(range(60), seed=6, size=32)
    np.testing.assert_array_equal(images["label"], images["grade"] > 0)
    assert set(images["grade"]) == {0, 1, 2, 3, 4}


def test_another_seed_or_index_is_another_eye():
    one, other = (
        fundus.render([0, 1], seed=1)["image"],
        fundus.render([0], seed=2)["image"],
    )
    assert (one[0] != one[1]).mean() > 0.5
    assert (one[0] != other[0]).mean() > 0.5


def test_evidence_is_darker_or_brighter_than_the_twin_not_just_other_noise():
    images = fundus.render(range(60), seed=8)
    change = np.abs(images["image"].astype(int) - images["twin"]).max(-1)
    assert np.median(change[images["evidence"]]) > 15


def test_the_card_matches_the_loader():
    card = CARDS["fundus"]
    for split, size in card.sizes.items():
        found = load_dataset("fundus", split=split)
        assert len(found) == size
        assert len(set(found.ids)) == size
        assert set(found.labels) == set(range(len(card.classes)))
        assert 0.45 < found.labels.mean() < 0.55


def test_no_image_is_in_two_splits():
    seen = [
        {image.tobytes() for image in load_dataset("fundus", split=split).source.images}
        for split in ("train", "validation", "test")
    ]
    assert [len(part) for part in seen] == [4000, 500, 1000]
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def test_draw_images_returns_the_images_of_the_split():
    arrays = load_dataset("fundus", split="test").arrays()
    images = draw_images("fundus", [0, 999])
    np.testing.assert_array_equal(
        arrays.images[[0, 999]], images["image"].astype(np.float32) / 255
    )
    np.testing.assert_array_equal(arrays.masks[[0, 999]], images["evidence"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(name="retina"), r"one of \['aptos2019', 'chest'"),
        (dict(name="fundus", view="AP"), "no option 'view'"),
        (dict(name="fundus", preset="hardest"), "one of .*standard"),
        (dict(name="fundus", split="train2"), "train2"),
        (dict(name="fundus", regime=0), "0 < regime <= 1"),
        (dict(name="fundus", regime=0.0001), "regime >= "),
    ],
)
def test_unknown_options_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        load_dataset(**arguments)


def test_positions_outside_the_split_are_refused():
    with pytest.raises(ValueError, match="from 0 to 999"):
        draw_images("fundus", [1000])
