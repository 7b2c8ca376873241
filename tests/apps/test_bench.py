"""What the page asks for: every answer against the library's own."""

import numpy as np
import pytest
from PIL import Image

from medattn.explain import create_analyzer
from medattn.study import probabilities
from medattn_app.first_bench import (
    ATTENTION,
    METHODS,
    REGIMES,
    baselines,
    gallery,
    upload,
)


def test_the_gallery_shows_every_grade_and_the_truth():
    cases = gallery()
    truths = {case.truth for case in cases}
    assert {"healthy", "diseased (mild)", "diseased (proliferative)"} <= truths
    for case in cases:
        assert case.pixels.shape == (64, 64, 3) and case.picture.shape == (320, 320, 3)
        assert case.evidence.any() == (case.truth != "healthy")


@pytest.mark.parametrize("attention", ATTENTION)
@pytest.mark.parametrize("regime", [0.01, 1.0])
def test_an_answer_is_that_of_the_shipped_network(bench, trained, attention, regime):
    case = gallery()[2]
    model = trained(ATTENTION[attention], regime)
    answer = bench.answer(case, attention, regime, "lrp.epsilon")
    batch = case.pixels[None]
    assert answer.chance == pytest.approx(probabilities(model, batch)[0, 1], abs=1e-6)
    analyzer = create_analyzer("lrp.epsilon", model, neuron_selection_mode="index")
    expected = analyzer.analyze(batch, 1)[0].sum(-1)
    np.testing.assert_allclose(answer.relevance, expected, atol=1e-5)
    inside = np.abs(expected)[case.evidence].sum() / np.abs(expected).sum()
    assert answer.mass == pytest.approx(inside, rel=1e-4)
    assert answer.audit.startswith("pixels ") and "fails" not in answer.audit


def test_answers_differ_between_blocks_and_regimes(bench):
    case = gallery()[0]
    chances = {
        bench.answer(case, attention, regime, "lrp.epsilon").chance
        for attention in ATTENTION
        for regime in REGIMES.values()
    }
    assert len(chances) == 12


def test_an_equal_question_is_remembered_and_another_is_not(bench):
    one, other = gallery()[:2]
    first = bench.answer(one, "SE", 1.0, "lrp.epsilon")
    assert bench.answer(one, "SE", 1.0, "lrp.epsilon") is first
    assert bench.answer(other, "SE", 1.0, "lrp.epsilon") is not first
    assert bench.answer(one, "SE", 1.0, "gradient") is not first


def test_memory_of_answers_is_bounded():
    from medattn_app.first_bench import Bench

    small = Bench(remember=2)
    for case in gallery()[:4]:
        small.answer(case, "none", 1.0, "gradient")
    assert len(small._remembered) == 2


@pytest.mark.parametrize("method", METHODS.values())
def test_every_method_gives_a_map(bench, method):
    answer = bench.answer(gallery()[3], "CBAM", 0.5, method)
    assert answer.relevance.shape == (64, 64) and np.abs(answer.relevance).sum() > 0
    assert (answer.audit is None) == (method != "lrp.epsilon")


def test_an_upload_is_padded_and_has_no_truth(tmp_path):
    Image.new("RGB", (300, 100), (255, 0, 0)).save(tmp_path / "wide.png")
    case = upload(tmp_path / "wide.png")
    assert case.truth is None and case.evidence is None and baselines(case) is None
    assert case.pixels.shape == (64, 64, 3)
    assert (case.pixels[:20] == 0).all() and case.pixels[32, 32, 0] > 0.99


def test_baselines_are_the_area_and_the_edges():
    case = gallery()[3]
    area, edges = baselines(case)
    assert area == case.evidence.mean() and 0 < edges < 1
