"""Batches: the same seed gives the same bits, and each epoch other pixels."""

import numpy as np
import pytest

from medattn.data import STUDY, Augmentation, load_dataset
from medattn.data import augment as augmenting
from medattn.data.dataset import Dataset, find_card
from medattn.data.sources import ArraySource


def stream(seed, batches=14, **options):
    data = load_dataset("fundus", regime=0.1, seed=0)
    parts = data.batches(32, training=True, seed=seed, **options).take(batches)
    return [np.concatenate([np.asarray(part[k]) for part in parts]) for k in (0, 1)]


@pytest.mark.parametrize("augmentation", [None, STUDY])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(augmentation):
    one, two, other = (stream(seed, augmentation=augmentation) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert not np.array_equal(one[0], other[0])


def test_a_resumed_run_gets_the_same_batches():
    full = stream(3, batches=30, augmentation=STUDY)
    rest = stream(3, batches=13, start=17, augmentation=STUDY)
    np.testing.assert_array_equal(full[0][17 * 32 :], rest[0])
    np.testing.assert_array_equal(full[1][17 * 32 :], rest[1])


def test_an_epoch_has_every_image_once_and_the_next_augments_it_differently():
    data = load_dataset("fundus", regime=0.01, seed=0)  # 40 images
    assert len(data) == 40
    epochs = [np.asarray(b[0]) for b in data.batches(40, training=True).take(6)]
    # The sorted pixels of an image are the same however it is flipped and turned.
    marks = [
        sorted(np.sort(image, None).tobytes() for image in part) for part in epochs
    ]
    assert all(mark == marks[0] for mark in marks)
    plain = {image.tobytes() for image in data.arrays().images}
    unturned = [sum(image.tobytes() in plain for image in part) for part in epochs]
    assert 0 < sum(unturned) < 0.35 * 240  # the expected fraction is one in eight


def test_evaluation_shows_every_image_in_order_unchanged():
    data = load_dataset("fundus", split="validation")
    images, labels, _ = data.arrays()
    parts = list(data.batches(64))
    np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), images)
    np.testing.assert_array_equal(np.concatenate([p[1] for p in parts]), labels)
    assert images.dtype == np.float32 and images.min() >= 0 and images.max() <= 1


def squares(n=8, size=16):
    """Images whose masks are their bright pixels."""
    images = np.zeros((n, size, size, 3), np.uint8)
    for i in range(n):
        images[i, 3 : 6 + i % 3, 4 : 9 + i % 2] = 255
    return Dataset(
        find_card("fundus"),
        "train",
        [f"square-{i}" for i in range(n)],
        np.arange(n) % 2,
        ArraySource(images, images[..., 0] > 127),
    )


@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(flip_horizontal=True, flip_vertical=True, quarter_turns=True),
        Augmentation(degrees=15, shift=(0.1, 0.1), scale=0.1),
    ],
)
def test_masks_are_warped_like_their_images(augmentation):
    stream = squares().batches(
        8, training=True, seed=1, masks=True, augmentation=augmentation
    )
    moved = 0
    for image, _, mask in stream.take(5):
        bright = np.asarray(image)[..., 0] > 0.5
        differs = (bright != np.asarray(mask)).mean((1, 2))
        assert differs.max() < 0.05  # borders differ: one is bilinear, one nearest
        moved += (bright[0] != np.asarray(squares().source.masks[0])).any()
    assert moved > 0


def test_a_quarter_turn_matches_numpy():
    """The warp against np.rot90 and np.fliplr, for all eight orientations."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    image = rng.random((1, 5, 5, 3)).astype(np.float32)
    turns = Augmentation(flip_horizontal=True, quarter_turns=True)
    expected = {
        np.rot90(part, k).tobytes()
        for part in (image[0], np.fliplr(image[0]))
        for k in range(4)
    }
    found = set()
    for epoch in range(60):
        warp, light = augmenting.sample_changes(
            turns, 0, np.array([epoch]), np.array([7]), 5, 5
        )
        out = augmenting.apply(tf.constant(image), warp, light, exact=True)
        found.add(np.asarray(out)[0].tobytes())
    assert found == expected


def test_a_rotation_matches_plain_numpy():
    """Bilinear rotation about the centre, written out pixel by pixel."""
    import tensorflow as tf

    image = np.random.default_rng(1).random((9, 9)).astype(np.float32)
    turn = Augmentation(degrees=30)
    warp, light = augmenting.sample_changes(turn, 3, np.array([0]), np.array([5]), 9, 9)
    angle = np.arctan2(warp[0, 3], warp[0, 0])
    assert 0 < abs(np.rad2deg(angle)) <= 30
    batch = tf.constant(np.repeat(image[None, ..., None], 3, -1))
    out = np.asarray(augmenting.apply(batch, warp, light, exact=False))[0, ..., 0]
    for y in range(3, 6):
        for x in range(3, 6):
            u = 4 + np.cos(angle) * (x - 4) - np.sin(angle) * (y - 4)
            v = 4 + np.sin(angle) * (x - 4) + np.cos(angle) * (y - 4)
            i, j = int(np.floor(v)), int(np.floor(u))
            a, b = v - i, u - j
            expected = (
                (1 - a) * (1 - b) * image[i, j]
                + (1 - a) * b * image[i, j + 1]
                + a * (1 - b) * image[i + 1, j]
                + a * b * image[i + 1, j + 1]
            )
            assert out[y, x] == pytest.approx(expected, abs=1e-4)


def test_the_hash_is_splitmix64():
    """The reference's first output for state 1234567, and numbers spread evenly."""
    assert int(augmenting._mix(np.array([1234567]))[0]) == 6457827717110365317
    u = augmenting.uniforms(0, np.zeros(4000, int), np.arange(4000), 3)
    assert u.min() >= 0 and u.max() < 1
    np.testing.assert_allclose(u.mean(0), 0.5, atol=0.02)
    np.testing.assert_allclose(u.std(0), 12**-0.5, atol=0.01)
    assert abs(np.corrcoef(u.T)[np.triu_indices(3, 1)]).max() < 0.06


def test_chest_films_are_flipped_only_on_request():
    for name in ("chest", "mimic_cxr_jpg", "pneumoniamnist", "chestmnist"):
        found = find_card(name).augmentation
        assert not (found.flip_horizontal or found.flip_vertical or found.quarter_turns)
        warp, _ = augmenting.sample_changes(
            found, 0, np.zeros(500, int), np.arange(500), 64, 64
        )
        assert (warp[:, 0] > 0.8).all() and (warp[:, 4] > 0.8).all()
    flipping = Augmentation(flip_horizontal=True)
    warp, _ = augmenting.sample_changes(
        flipping, 0, np.zeros(500, int), np.arange(500), 64, 64
    )
    assert 0.4 < (warp[:, 0] < 0).mean() < 0.6


def test_rand_augment_is_repeatable_and_keeps_pixels_in_range():
    strong = Augmentation(rand_augment=2, magnitude=0.9)
    one, two = (stream(1, batches=4, augmentation=strong) for _ in range(2))
    np.testing.assert_array_equal(one[0], two[0])
    assert one[0].min() >= 0 and one[0].max() <= 1
    plain = stream(1, batches=4, augmentation=Augmentation())
    changed = (one[0] != plain[0]).any((1, 2, 3)).mean()
    assert 0.7 < changed  # identity twice is one in 121


def test_masks_of_a_data_set_without_evidence_are_refused():
    data = squares()
    data.source = ArraySource(data.source.images)
    with pytest.raises(ValueError, match="No evidence is known"):
        data.batches(4, masks=True)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_jax_and_torch_get_the_same_batches(backend, tmp_path):
    import os
    import subprocess
    import sys

    extra = os.environ.get("MEDATTN_TORCH")
    if backend == "torch" and not extra:
        pytest.skip("torch is not here: set MEDATTN_TORCH")
    code = (
        "import numpy as np, keras\n"
        "from medattn.data import STUDY, load_dataset\n"
        f"assert keras.backend.backend() == {backend!r}\n"
        "data = load_dataset('fundus', regime=0.01)\n"
        "stream = data.batches(32, training=True, seed=4, augmentation=STUDY)\n"
        "x = np.concatenate([np.asarray(b[0]) for b in stream.take(4)])\n"
        f"np.save({str(tmp_path / 'x.npy')!r}, x)\n"
    )
    path = os.pathsep.join(filter(None, [extra, os.environ.get("PYTHONPATH")]))
    env = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    data = load_dataset("fundus", regime=0.01)
    here = data.batches(32, training=True, seed=4, augmentation=STUDY).take(4)
    here = np.concatenate([np.asarray(b[0]) for b in here])
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), here)
