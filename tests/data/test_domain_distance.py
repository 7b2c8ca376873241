"""The distance from a domain: by hand, by a second derivation, and on photographs."""

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


def test_other_drawings_of_the_kind_are_inside(fundus):
    drawn = draw_images("fundus", range(60), size=64)["image"] / np.float32(255)
    inside = fundus.distance(drawn) <= fundus.limit
    assert inside.mean() >= 0.95
    assert 0.7 < np.median(fundus.distance(drawn)) < 1.4


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


def test_the_distance_is_mahalanobis_of_what_the_docstring_names():
    rng = np.random.default_rng(3)
    cloud = rng.random((80, 16, 16, 3)).astype(np.float32)
    held, asked = rng.random((2, 5, 16, 16, 3)).astype(np.float32)
    domain = Domain(cloud, held)

    def coarse(image):  # slower and plainer: field by field
        return np.array(
            [
                image[2 * r : 2 * r + 2, 2 * c : 2 * c + 2, k].mean()
                for r in range(8)
                for c in range(8)
                for k in range(3)
            ]
        )

    small = np.array([coarse(image) for image in cloud])
    middle = small.mean(0)
    values, vectors = np.linalg.eigh((small - middle).T @ (small - middle))
    shapes = vectors[:, np.argsort(values)[::-1][:12]].T

    def tell(image):
        away = coarse(image) - middle
        amounts = shapes @ away
        left = np.sqrt(((away - amounts @ shapes) ** 2).mean())
        rows = np.abs(np.diff(image, 2, axis=0) / 2).mean((0, 1))
        columns = np.abs(np.diff(image, 2, axis=1) / 2).mean((0, 1))
        logs = np.log(np.array([left, *rows, *columns]) + 1e-3)
        return np.concatenate([amounts, logs])

    told = np.array([tell(image) for image in cloud])
    spread = np.cov(told.T) + 1e-6 * np.eye(19)
    for image, found in zip(asked, domain.distance(asked), strict=True):
        away = tell(image) - told.mean(0)
        expected = np.sqrt(away @ np.linalg.solve(spread, away) / 19)
        assert found == pytest.approx(expected, rel=1e-3)
    assert domain.limit == domain.distance(held).max()


def test_too_few_images_or_an_odd_size_are_refused():
    few = np.zeros((10, 16, 16, 3))
    with pytest.raises(ValueError, match="more than 31"):
        Domain(few, few)
    with pytest.raises(ValueError, match="multiple of 8"):
        find_domain("fundus", size=60)
