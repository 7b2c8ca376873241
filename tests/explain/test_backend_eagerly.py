"""Analyzers run eagerly: the same maps, and nothing compiled."""

import numpy as np
import pytest

from medattn.data import draw_images
from medattn.explain import create_analyzer, list_analyzers, run_eagerly

NETWORKS = ("cbam_micro_resnet", "micro_deit")
COMPARED = (  # one of each way to make a map; compiling them all takes minutes
    "lrp.epsilon",
    "deep_lift.rescale",
    "integrated_gradients",
    "gradcam_plus_plus",
    "attention.spatial_gate",
    "attention.rollout",
)


@pytest.fixture(scope="module")
def images():
    return draw_images("fundus", range(2))["image"].astype(np.float32) / 255


def outputs_of(analyzer, images):
    """Returns all that an analyzer computes, as a list of arrays."""
    if hasattr(analyzer, "account"):
        maps, audit, logits = analyzer.analyze_and_audit(images, 1)
        del audit["error"]  # nothing but rounding
        return [maps, *audit.values(), logits]
    return [analyzer.analyze(images, 1)]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_analyzer_runs_eagerly_with_the_same_result(
    trained, images, name, monkeypatch
):
    import tensorflow as tf

    model = trained(name, 1.0)
    with monkeypatch.context() as forbidden, pytest.raises(TypeError):
        forbidden.setattr(type(tf.function(abs)), "__call__", None)
        create_analyzer("gradient", model).analyze(images)
    tried = 0
    for method in list_analyzers():
        if method.startswith("innvestigate") or method == "scorecam":
            continue  # a process of its own; one prediction a feature map
        try:
            analyzer = create_analyzer(method, model, neuron_selection_mode="index")
        except ValueError:
            continue  # it needs gates, tokens or ReLUs that this network lacks
        with monkeypatch.context() as forbidden, run_eagerly():
            forbidden.setattr(type(tf.function(abs)), "__call__", None)
            eager = outputs_of(analyzer, images)
        tried += 1
        assert all(np.isfinite(array).all() for array in eager)
        if method not in COMPARED:
            continue
        for one, other in zip(eager, outputs_of(analyzer, images), strict=True):
            size = np.abs(other).max()
            np.testing.assert_allclose(one, other, atol=2e-5 * max(size, 1e-6))
    assert tried >= 12


def test_unless_compiled_uses_what_is_compiled(trained, images, monkeypatch):
    from medattn.explain import backend as gradients

    made = []
    tensorflow = gradients._tensorflow

    def noted(function, gradients, eager):
        made.append(eager)
        return tensorflow(function, gradients, eager)

    monkeypatch.setattr(gradients, "_tensorflow", noted)
    analyzer = create_analyzer("gradient", trained("micro_resnet", 1.0))
    with run_eagerly(unless_compiled=True):
        analyzer.analyze(images)
        assert made == [True]
    analyzer.analyze(images)
    assert made == [True, False]
    with run_eagerly(unless_compiled=True):
        analyzer.analyze(images)
    with run_eagerly():
        analyzer.analyze(images)
    assert made == [True, False]


@pytest.mark.parametrize("method", ["integrated_gradients", "smoothgrad"])
def test_points_in_one_batch_equal_points_one_by_one(
    trained, images, method, monkeypatch
):
    from medattn.explain.gradient import gradient as gradient_module

    analyzer = create_analyzer(method, trained("micro_deit", 1.0))
    together = analyzer.analyze(images)
    monkeypatch.setattr(gradient_module, "PIXELS_AT_ONCE", 1)
    alone = analyzer.analyze(images)
    np.testing.assert_allclose(together, alone, atol=1e-5 * np.abs(alone).max())
    np.testing.assert_allclose(
        analyzer.analyze(images[:1]), alone[:1], atol=1e-5 * np.abs(alone).max()
    )
