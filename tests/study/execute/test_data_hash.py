"""The hash of what a trial read: names, labels and pixels."""

import hashlib

import numpy as np
import pytest

from medattn.data.cards import CARDS
from medattn.data.dataset import Dataset
from medattn.data.sources import ArraySource
from medattn.study.execute import data_hash
from medattn.study.execute.data_hash import data_sha256
from medattn.study.execute.shapes import Shapes


def splits(**changes):
    rng = np.random.default_rng(0)
    given = dict(
        ids=["a", "b", "c"],
        labels=np.array([0, 1, 1]),
        images=rng.integers(0, 256, (3, 4, 4, 3), np.uint8),
    )
    given |= changes
    source = ArraySource(given["images"])
    return {
        "train": Dataset(
            CARDS["folder"], "train", given["ids"], given["labels"], source
        )
    }


def test_the_hash_is_that_of_names_labels_and_pixels():
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), np.uint8)
    labels = np.array([0, 1, 1], "<i8").tobytes()
    text = b"train 3\na\nb\nc" + labels + images.tobytes()
    assert data_sha256(splits()) == hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        dict(ids=["a", "b", "d"]),
        dict(labels=np.array([0, 1, 0])),
        dict(images=np.zeros((3, 4, 4, 3), np.uint8)),
    ],
)
def test_another_name_label_or_pixel_has_another_hash(changes):
    assert data_sha256(splits(**changes)) != data_sha256(splits())


def test_the_shapes_are_hashed_as_the_bytes_that_they_are():
    shapes = Shapes.__new__(Shapes)
    shapes.ids, shapes.labels = ["a", "b", "c"], np.array([0, 1, 1])
    shapes._images = splits()["train"].source.images
    assert data_sha256({"train": shapes}) == data_sha256(splits())


def test_images_are_read_a_few_at_a_time(monkeypatch):
    whole = data_sha256(splits())
    monkeypatch.setattr(data_hash, "CHUNK", 2)
    assert data_sha256(splits()) == whole
