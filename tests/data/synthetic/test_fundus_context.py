"""Retinas in context: the optic disc decides, far from every lesion."""

import numpy as np
import pytest

from medattn.data.synthetic import DOMAINS
from medattn.data.synthetic.common import evidence_by_kind
from medattn.data.synthetic.fundus_context.sampling import COMBINATIONS, parameters

context = DOMAINS["fundus_context"]
DARK = ("microaneurysm", "haemorrhage", "flame")
BRIGHT = ("exudate", "cotton_wool")


@pytest.fixture(scope="module")
def images():
    return context.render(range(300), seed=8, size=64)


def shown(parts, kinds):
    return np.any([parts[kind] for kind in kinds], 0)


def test_the_disc_decides_which_lesions_count(images):
    parts, p = evidence_by_kind(images, context.EVIDENCE), images["params"]
    dark = shown(parts, DARK).any((1, 2))
    bright = shown(parts, BRIGHT).any((1, 2))
    np.testing.assert_array_equal(dark, p["dark"] == 1)
    np.testing.assert_array_equal(bright, p["bright"] == 1)
    np.testing.assert_array_equal(images["label"], np.where(p["cue"], bright, dark))


def test_every_image_has_the_cue_as_evidence_around_its_disc(images):
    cue = evidence_by_kind(images, context.EVIDENCE)["cue"]
    assert (cue.sum((1, 2)) >= 4).all()
    y, x = (np.indices((64, 64)) + 0.5) / 64 - 0.5
    for mask, disc, radius in zip(
        cue, images["params"]["disc"], images["params"]["disc_radius"], strict=True
    ):
        far = np.hypot(y[mask] - disc[0], x[mask] - disc[1])
        assert far.max() < 1.3 * radius + 1 / 64


def test_no_window_of_twelve_pixels_sees_cue_and_lesion(images):
    parts = evidence_by_kind(images, context.EVIDENCE)
    lesions = shown(parts, (*DARK, *BRIGHT))
    for cue, other in zip(parts["cue"], lesions, strict=True):
        if other.any():
            gaps = np.abs(np.argwhere(cue)[:, None] - np.argwhere(other)).max(-1)
            assert gaps.min() >= 12  # so both lie in windows of 13 or more


def test_cue_and_lesions_are_independent_and_as_frequent_as_the_card_says():
    sampled = [parameters(1, index, 2) for index in range(4000)]
    cue, dark, bright = (
        np.array([one[key] for one in sampled]) for key in ("cue", "dark", "bright")
    )
    assert cue.mean() == pytest.approx(0.5, abs=0.03)
    for both, (name, expected) in enumerate(COMBINATIONS.items()):
        found = (2 * dark + bright == both).mean()
        assert found == pytest.approx(expected, abs=0.03), name
    label = np.where(cue, bright, dark)
    for factor in (dark, bright):
        assert abs(np.corrcoef(cue, factor)[0, 1]) < 0.06
    assert abs(np.corrcoef(cue, label)[0, 1]) < 0.06
    assert np.corrcoef(dark, label)[0, 1] < 0.25  # 0.1: presence alone decides little
    np.testing.assert_array_equal(label, [one["label"] for one in sampled])


def test_the_retina_is_that_of_fundus_but_for_disc_and_lesions():
    ours, theirs = (
        DOMAINS[name].render(range(4), seed=8, size=32)["params"]
        for name in ("fundus_context", "fundus")
    )
    for key in ("base", "fov", "vessel", "macula", "drusen", "camera"):
        assert ours[key].shape == theirs[key].shape
