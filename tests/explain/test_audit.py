"""Explaining and auditing in one pass equals the two passes."""

import numpy as np
import pytest

from medattn.explain import create_analyzer


@pytest.mark.parametrize("name", ["lrp.epsilon", "deep_lift.rescale"])
def test_one_pass_equals_the_map_and_the_audit_by_themselves(trained, drawings, name):
    model = trained("cbam_micro_resnet")
    images = drawings["image"][:3]
    analyzer = create_analyzer(name, model, neuron_selection_mode="index")
    attribution, audit, logits = analyzer.analyze_and_audit(images, 1)
    expected = analyzer.analyze(images, 1)
    np.testing.assert_allclose(
        attribution, expected, atol=1e-5 * np.abs(expected).max()
    )
    for key, values in analyzer.audit(images, 1).items():
        np.testing.assert_allclose(audit[key], values, atol=1e-6)
    np.testing.assert_allclose(logits, model.predict_on_batch(images), atol=1e-5)
