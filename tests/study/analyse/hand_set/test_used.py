"""Networks set by hand: their answers are real, and what they use is what they use."""

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.metrics import roc_auc_score

from medattn.study.analyse.hand_set.networks import (
    HAND_SET,
    create_hand_set,
    hand_set_images,
)
from medattn.study.analyse.hand_set.used import (
    LIMIT,
    numpy_logits,
    path_strength,
    tolerance,
    used_pixels,
)

NAMES = list(HAND_SET)


@pytest.fixture(scope="module")
def network():
    """A function from a name to its network, 200 images, and two with detections."""
    known = {}

    def load(name):
        if name not in known:
            model, drawn = create_hand_set(name), hand_set_images(name, 200)
            positive = np.flatnonzero(drawn["label"] == 1)[:40]
            on = used_pixels(model, drawn["image"][positive]).any((1, 2))
            known[name] = model, drawn, drawn["image"][positive[on][:2]]
        return known[name]

    return load


@pytest.mark.parametrize("name", NAMES)
def test_it_classifies_its_test_images(network, name):
    model, drawn, _ = network(name)
    assert (
        roc_auc_score(drawn["label"], numpy_logits(model, drawn["image"])[:, 1]) > 0.8
    )


@pytest.mark.parametrize("name", NAMES)
def test_numpy_computes_what_keras_computes(network, name):
    model, drawn, _ = network(name)
    found = np.asarray(model(drawn["image"][:20]))
    np.testing.assert_allclose(
        numpy_logits(model, drawn["image"][:20]), found, atol=2e-4
    )


@pytest.mark.parametrize("name", NAMES)
def test_any_change_outside_what_is_used_leaves_the_logits_as_they_are(network, name):
    model, _, images = network(name)
    allowed, rng = tolerance(model, images), np.random.default_rng(0)
    assert np.median(allowed[~used_pixels(model, images)]) >= 0.02
    before = np.asarray(model(images))
    for draw in range(8):
        signs = rng.choice([-1, 1], images.shape)
        size = 1 if draw % 2 else rng.random(images.shape)
        changed = images + np.float32(0.999 * size * signs * allowed[..., None])
        np.testing.assert_allclose(np.asarray(model(changed)), before, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_each_single_pixel_outside_may_change_by_its_tolerance(network, name):
    model, _, images = network(name)
    image = images[0].astype(np.float64)
    allowed, rng = tolerance(model, images[:1])[0], np.random.default_rng(1)
    outside = np.argwhere(allowed > 0)
    pixels = rng.permutation(outside)[:200]
    changed = one_pixel_each(image, pixels, rng, allowed[tuple(pixels.T)])
    expected = numpy_logits(model, image[None])
    np.testing.assert_allclose(
        numpy_logits(model, changed), expected.repeat(len(pixels), 0), atol=1e-9
    )


@pytest.mark.parametrize("name", NAMES)
def test_each_single_pixel_inside_changes_the_logit(network, name):
    model, _, images = network(name)
    image, rng = images[0].astype(np.float64), np.random.default_rng(2)
    pixels = np.argwhere(used_pixels(model, images[:1])[0])
    pixels = rng.permutation(pixels)[:100]
    before, moved = numpy_logits(model, image[None]), np.zeros(len(pixels))
    for channel in range(3):  # one at a time: changes of two may cancel
        for size in (-1e-3, 1e-3):
            copies = np.repeat(image[None], len(pixels), 0)
            copies[np.arange(len(pixels)), pixels[:, 0], pixels[:, 1], channel] += size
            after = numpy_logits(model, copies)
            moved = np.maximum(moved, np.abs(after - before)[:, 1])
    assert (moved > 1e-6).all()


@pytest.mark.parametrize("name", ["fundus_lesions", "chest_devices"])
def test_the_tolerance_is_not_far_from_what_would_switch_a_detector_on(network, name):
    model, _, images = network(name)
    outside = ~used_pixels(model, images)[..., None]
    rng = np.random.default_rng(3)
    changed = images + outside * rng.choice([-LIMIT, LIMIT], images.shape)
    assert (
        np.abs(numpy_logits(model, changed) - numpy_logits(model, images)).max() > 0.1
    )


def one_pixel_each(image, pixels, rng, sizes):
    """Copies of an image, each with one pixel changed in all its channels."""
    copies = np.repeat(image[None], len(pixels), 0)
    change = rng.choice([-1, 1], (len(pixels), 3)) * rng.uniform(
        0.5, 1, (len(pixels), 3)
    )
    copies[np.arange(len(pixels)), pixels[:, 0], pixels[:, 1]] += (
        sizes[:, None] * change
    )
    return copies


def test_path_strength_by_hand():
    """A 2 x 2 image, one filter 3 r - 2 g, gain 5: only pixels above 0 count."""
    inputs = keras.Input((2, 2, 3))
    conv, dense = layers.Conv2D(1, 1), layers.Dense(2)
    x = layers.Activation("relu")(conv(inputs))
    model = keras.Model(inputs, dense(layers.GlobalAveragePooling2D()(x)))
    conv.set_weights([np.array([3.0, -2, 0]).reshape(1, 1, 3, 1), np.array([-1.0])])
    dense.set_weights([np.array([[-5.0, 5.0]]), np.zeros(2)])
    image = np.array([[[1, 0, 0], [0, 1, 0]], [[1, 1, 0], [0.5, 0, 1]]], np.float32)
    # Units: 3 - 1 = 2 on; -3 off; 0 off; 0.5 on. A path: (3 + 2) x 1/4 x 5.
    expected = [[[6.25, 0], [0, 6.25]]]
    np.testing.assert_allclose(path_strength(model, image[None]), expected)
    # The unit at 0 goes on with any change; the one at -3 needs 5 t > 3.
    np.testing.assert_allclose(
        tolerance(model, image[None]), [[[0, LIMIT], [0, 0]]], atol=1e-8
    )


def test_a_network_with_branches_or_other_layers_is_refused():
    inputs = keras.Input((4, 4, 3))
    x = layers.Flatten()(layers.MaxPooling2D()(inputs))
    with pytest.raises(ValueError, match="Received: a layer MaxPooling2D"):
        used_pixels(keras.Model(inputs, layers.Dense(2)(x)), np.zeros((1, 4, 4, 3)))


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="fundus_lesions.*Received: name='lungs'"):
        create_hand_set("lungs")
