"""Batches: the same seed gives the same bits, and every pass other pixels."""

import numpy as np

from medattn.data import load_dataset


def stream(seed, batches=14):
    data = load_dataset("fundus", regime=0.1, seed=0)
    parts = list(data.batches(32, training=True, seed=seed).take(batches))
    return [np.concatenate([np.asarray(part[k]) for part in parts]) for k in (0, 1)]


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    one, two, other = stream(1), stream(1), stream(2)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert not np.array_equal(one[0], other[0])


def test_a_pass_shows_every_image_once_and_the_next_pass_turns_it_otherwise():
    data = load_dataset("fundus", regime=0.01, seed=0)  # 40 images
    assert len(data) == 40
    passes = [np.asarray(b[0]) for b in data.batches(40, training=True).take(6)]
    # The sorted pixels of an image are the same however it is flipped and turned.
    marks = [
        sorted(np.sort(image, None).tobytes() for image in part) for part in passes
    ]
    assert all(mark == marks[0] for mark in marks)
    plain = {image.tobytes() for image in data.arrays().images}
    unturned = [sum(image.tobytes() in plain for image in part) for part in passes]
    assert sum(unturned) < 0.35 * 240  # one in eight is left as it is, by chance


def test_evaluation_shows_every_image_in_order_unchanged():
    data = load_dataset("fundus", split="validation")
    images, labels, _ = data.arrays()
    parts = list(data.batches(64))
    np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), images)
    np.testing.assert_array_equal(np.concatenate([p[1] for p in parts]), labels)
    assert images.dtype == np.float32 and images.min() >= 0 and images.max() <= 1
