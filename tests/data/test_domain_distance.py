"""The distance from a domain: by a second derivation, and on photographs."""

import numpy as np
import pytest
import skimage.data

from medattn.data import draw_images, fit_image
from medattn.data.domain_distance import Domain, find_domain

PHOTOGRAPHS = "astronaut coffee cat retina rocket camera page coins moon brick".split()


def photograph(name):
    image = getattr(skimage.data, name)().astype(np.float32) / 255
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, -1)
    return fit_image(image[..., :3], 64)


@pytest.fixture(scope="module")
def fundus():
    return find_domain("fundus")


def test_other_images_of_the_domain_are_inside(fundus):
    images = draw_images("fundus", range(60), size=64)["image"] / np.float32(255)
    inside = fundus.distance(images) <= fundus.limit
    assert inside.mean() >= 0.95
    assert 0.7 < np.median(fundus.distance(images)) < 1.4


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_is_outside_even_one_of_a_retina(fundus, name):
    assert fundus.distance(photograph(name)[None])[0] > 1.5 * fundus.limit
    assert not fundus.holds(photograph(name))


def test_noise_plain_fields_and_other_domains_are_outside(fundus):
    noise = np.random.default_rng(0).random((64, 64, 3), np.float32)
    for image in (noise, np.zeros_like(noise), np.ones_like(noise)):
        assert not fundus.holds(image)
    for other in ("dermoscopy", "chest"):
        image = draw_images(other, [0], size=64)["image"][0] / np.float32(255)
        assert not fundus.holds(image)


def test_the_distance_is_the_mahalanobis_distance_of_the_documented_features():
    rng = np.random.default_rng(3)
    training = rng.random((80, 16, 16, 3)).astype(np.float32)
    held_out, others = rng.random((2, 5, 16, 16, 3)).astype(np.float32)
    domain = Domain(training, held_out)

    def coarse(image):  # slower and plainer: field by field
        return np.array(
            [
                image[2 * r : 2 * r + 2, 2 * c : 2 * c + 2, k].mean()
                for r in range(8)
                for c in range(8)
                for k in range(3)
            ]
        )

    small = np.array([coarse(image) for image in training])
    mean = small.mean(0)
    values, vectors = np.linalg.eigh((small - mean).T @ (small - mean))
    components = vectors[:, np.argsort(values)[::-1][:12]].T

    def features(image):
        centred = coarse(image) - mean
        scores = components @ centred
        residual = np.sqrt(((centred - scores @ components) ** 2).mean())
        rows = np.abs(np.diff(image, 2, axis=0) / 2).mean((0, 1))
        columns = np.abs(np.diff(image, 2, axis=1) / 2).mean((0, 1))
        logs = np.log(np.array([residual, *rows, *columns]) + 1e-3)
        return np.concatenate([scores, logs])

    fitted = np.array([features(image) for image in training])
    covariance = np.cov(fitted.T) + 1e-6 * np.eye(19)
    for image, found in zip(others, domain.distance(others), strict=True):
        centred = features(image) - fitted.mean(0)
        expected = np.sqrt(centred @ np.linalg.solve(covariance, centred) / 19)
        assert found == pytest.approx(expected, rel=1e-3)
    assert domain.limit == domain.distance(held_out).max()


def test_too_few_images_or_an_odd_size_are_refused():
    few = np.zeros((10, 16, 16, 3))
    with pytest.raises(ValueError, match="more than 31"):
        Domain(few, few)
    with pytest.raises(ValueError, match="multiple of 8"):
        find_domain("fundus", size=60)
