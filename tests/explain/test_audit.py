"""The audit: in one pass with the map, and as a line of text."""

import numpy as np
import pytest

from medattn.explain import audit_line, create_analyzer


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


def test_the_audit_line_is_a_sum():
    audit = dict(logit=[2.23], relevance=[1.92], biases=[0.31], error=[0.0])
    assert audit_line(audit) == "pixels 1.92 + biases 0.31 = logit 2.23"
    audit = dict(logit=[-0.5], relevance=[-0.2], biases=[-0.3], error=[0.0])
    assert audit_line(audit) == "pixels −0.20 − biases 0.30 = logit −0.50"
    audit = dict(logit=[2.0], relevance=[1.0], biases=[0.0], error=[1.0])
    assert "fails: +1 is missing" in audit_line(audit)


def test_the_audit_line_names_every_part_above_one_percent():
    parts = dict(norm_shifts=0.11, positions=0.2, rule_loss=0.009, others=-0.019)
    audit = dict(logit=2.0, relevance=1.7, **parts, error=0.0)
    audit = {key: [value] for key, value in audit.items()}
    assert audit_line(audit) == (
        "pixels 1.70 + norm shifts 0.11 + positions 0.20 − small parts 0.01"
        " = logit 2.00"
    )


def test_one_percent_of_a_small_logit_is_seen_too():
    audit = dict(logit=[-0.0288], relevance=[-0.2209], rule_loss=[0.1921], error=[0])
    assert audit_line(audit) == "pixels −0.2209 + rule loss 0.1921 = logit −0.0288"


def test_the_audit_line_contains_references_and_what_was_dropped():
    audit = dict(logit=[2.23], reference=[0.31], relevance=[1.92], error=[0.0])
    assert audit_line(audit) == "pixels 1.92 = logit 2.23 − reference 0.31"
    audit = dict(
        logit=[2.0], relevance=[1.0], absorbed=[0.5], dropped=[0.5], error=[0.0]
    )
    assert (
        audit_line(audit) == "pixels 1.00 + absorbed 0.50 + dropped 0.50 = logit 2.00"
    )
