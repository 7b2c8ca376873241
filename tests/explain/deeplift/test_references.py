"""A reference that moves gives what a new analyzer with that reference gives."""

import numpy as np
import pytest

from medattn.explain import create_analyzer, reference_images, with_reference
from medattn.models import create_model


@pytest.fixture(scope="module")
def model():
    return create_model("se_micro_resnet", input_shape=(32, 32, 3))


IMAGES = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
GREY = np.full((32, 32, 3), 0.3, np.float32)


def test_a_moved_reference_gives_the_map_of_one_built_with_it(model):
    kind = "deep_lift.rescale"
    first = create_analyzer(kind, model, neuron_selection_mode="index")
    before = first.analyze(IMAGES, 1)
    for reference in (GREY, "mean", "blur"):
        built = create_analyzer(
            kind, model, neuron_selection_mode="index", reference=reference
        )
        moved = with_reference(first, reference)
        expected, found = built.analyze(IMAGES, 1), moved.analyze(IMAGES, 1)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        audit = moved.audit(IMAGES, 1)
        assert np.abs(audit["error"]).max() < 1e-4
    np.testing.assert_array_equal(first.analyze(IMAGES, 1), before)


def test_the_reference_can_be_looked_at(model):
    analyzer = create_analyzer("deep_lift.rescale", model)
    assert not reference_images(analyzer, IMAGES).any()
    mean = reference_images(with_reference(analyzer, "mean"), IMAGES)
    assert mean.shape == (1, 2, 32, 32, 3)
    np.testing.assert_allclose(mean[0, 0, 5, 7], IMAGES[0].mean((0, 1)), atol=1e-6)
    grey = reference_images(with_reference(analyzer, GREY), IMAGES)
    np.testing.assert_array_equal(grey[0, 0], GREY)


def test_what_has_no_reference_is_refused(model):
    with pytest.raises(ValueError, match="Only DeepLIFT"):
        with_reference(create_analyzer("gradient", model), "mean")
    with pytest.raises(ValueError, match="no image of the model's"):
        with_reference(create_analyzer("deep_lift.rescale", model), "white")
