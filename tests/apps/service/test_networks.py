"""The networks of the page answer as the library does."""

import numpy as np
import pytest
from PIL import Image

from medattn.explain import create_analyzer
from medattn.study import probabilities
from medattn_app.domain.cases import baselines, synthetic_cases
from medattn_app.domain.labels import truth_text
from medattn_app.domain.methods import METHODS
from medattn_app.domain.texts import Words
from medattn_app.service.networks import NetworkService
from medattn_app.service.uploads import read_upload


@pytest.fixture(scope="module")
def cases():
    return synthetic_cases("fundus")


def test_the_strip_shows_every_grade_and_the_truth(cases):
    truths = {truth_text(case, Words()) for case in cases}
    assert {"healthy", "diseased (mild)", "diseased (proliferative)"} <= truths
    for case in cases:
        assert case.pixels.shape == (64, 64, 3) and case.picture.shape == (384, 384, 3)
        assert (
            case.has_evidence
            == (truth_text(case, Words()) != "healthy")
            == (case.label == 1)
        )


def test_a_shared_model_answers_as_a_model_of_its_own(service, trained, cases):
    # One compiled model gets the weights of the cells in turn, to and fro.
    case = cases[2]
    for regime in (1.0, 0.01, 1.0):
        cell = service.cell("fundus", "ResNet", "CBAM", regime)
        answer = service.answer(case, cell, "lrp.epsilon")
        model = trained("cbam_micro_resnet", regime)
        batch = case.pixels[None]
        expected = probabilities(model, batch)[0, 1]
        assert answer.probability == pytest.approx(expected, abs=1e-6)
        analyzer = create_analyzer("lrp.epsilon", model, neuron_selection_mode="index")
        own = analyzer.analyze(batch, 1)[0].sum(-1)
        np.testing.assert_allclose(answer.relevance, own, atol=1e-5)
        inside = np.abs(own)[case.evidence].sum() / np.abs(own).sum()
        assert answer.quality["mass"] == pytest.approx(inside, rel=1e-4)
        assert (
            answer.audit_line.startswith("pixels ") and "fails" not in answer.audit_line
        )
        assert answer.audit["logit"] == pytest.approx(answer.logit, abs=1e-5)


def test_a_model_keeps_its_weights_while_others_answer(service, cases):
    cell, other = (service.cell("fundus", "ResNet", "SE", r) for r in (1.0, 0.1))
    model = service.model(cell)
    before = model.predict_on_batch(cases[0].pixels[None])
    service.answer(cases[0], other, "lrp.epsilon")
    np.testing.assert_array_equal(model.predict_on_batch(cases[0].pixels[None]), before)
    assert service.model(cell) is model


def test_an_equal_question_is_cached_and_another_is_not(service, cases):
    cell = service.cell("fundus", "ResNet", "SE", 1.0)
    assert service.cached(cases[1], cell, "gradient") is None
    first = service.answer(cases[1], cell, "gradient")
    assert service.answer(cases[1], cell, "gradient") is first
    assert service.cached(cases[1], cell, "gradient") is first
    assert service.answer(cases[0], cell, "gradient") is not first


def test_the_cache_of_answers_is_bounded(cases):
    small = NetworkService(max_cached_bytes=60_000)  # three maps of 16 KiB
    cell = small.cell("fundus", "ResNet", "none", 1.0)
    for case in cases[:5]:
        small.answer(case, cell, "random")
    kept = [small.cached(case, cell, "random") is not None for case in cases[:5]]
    assert kept == [False, False, True, True, True]


def test_a_method_that_cannot_read_a_network_says_why_and_still_predicts(
    service, cases
):
    plain = service.cell("fundus", "ResNet", "none", 1.0)
    answer = service.answer(cases[0], plain, "attention.spatial_gate")
    assert answer.relevance is None and "has none" in answer.refused
    assert answer.probability == service.answer(cases[0], plain, "random").probability
    gated = service.answer(
        cases[0], service.cell("fundus", "ResNet", "SE", 1.0), "guided_backprop"
    )
    assert gated.refused.endswith("the ReLU.") and "Received" not in gated.refused


def test_methods_are_known_to_the_library():
    from medattn.explain import list_analyzers

    assert set(METHODS) <= set(list_analyzers())


def test_a_network_that_is_not_shipped_is_refused_with_what_is(service):
    with pytest.raises(ValueError, match="not shipped for 'fundus'. Expected one of"):
        service.cell("fundus", "ResNet", "SE", 1.0, seed=99)


def test_an_upload_is_padded_and_has_no_truth(tmp_path):
    Image.new("RGB", (300, 100), (255, 0, 0)).save(tmp_path / "wide.png")
    case = read_upload(tmp_path / "wide.png")
    assert (
        truth_text(case, Words()) is None
        and case.evidence is None
        and baselines(case) is None
    )
    assert case.pixels.shape == (64, 64, 3)
    assert (case.pixels[:20] == 0).all() and case.pixels[32, 32, 0] > 0.99


def test_baselines_are_the_area_and_the_edges(cases):
    area, edges = baselines(cases[3])
    assert area == cases[3].evidence.mean() and 0 < edges < 1
