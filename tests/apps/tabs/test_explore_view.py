"""The words and numbers of the page are no stronger than what was measured."""

import base64

import numpy as np
import pytest

from medattn_app.domain.cases import Case
from medattn_app.domain.cells import Cell
from medattn_app.domain.labels import probability_text
from medattn_app.domain.texts import Words
from medattn_app.service.answers import Answer
from medattn_app.tabs.common.descriptions import describe_map
from medattn_app.tabs.explore import view

CELL = Cell("fundus", "ResNet", "CBAM", 0.1)
RECORD = {"measured": {"test": {"auroc": 0.987654}}}
words = Words()


def case(**changes):
    mask = np.zeros((64, 64), bool)
    mask[10:14, 10:14] = True
    shown = dict(
        pixels=np.zeros((64, 64, 3), np.float32),
        picture=np.zeros((64, 64, 3), np.float32),
        position=7,
        label=1,
        grade=1,
        evidence=mask,
    )
    return Case(**{**shown, **changes})


def answer(probability=0.71, relevance=None, **changes):
    corner = np.zeros((64, 64), np.float32)
    corner[:8, 40:] = -1.0
    relevance = corner if relevance is None else relevance
    changed = dict(
        relevance=relevance,
        audit_line="pixels 1.00 = logit 1.00",
        quality={"mass": 0.38},
    )
    return Answer(CELL, probability, 1.0, **(changed | changes))


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.9999, "> .99"), (0.0001, "< .01"), (0.5, ".50"), (0.0, ".00"), (1.0, "1.00")],
)
def test_probabilities_never_claim_certainty_that_rounding_made(probability, text):
    assert probability_text(probability) == text


def test_the_map_is_described_for_those_who_do_not_see_it():
    told = describe_map(case(), answer(), words)
    assert "most relevance, 100 %, lies in the upper right quarter" in told
    empty = describe_map(case(), answer(relevance=np.zeros((64, 64))), words)
    assert "zero everywhere" in empty


def test_a_map_arrives_as_it_was_to_four_digits():
    relevance = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    sent = view.pack_map(relevance)
    whole = np.frombuffer(base64.b64decode(sent["data"]), "<i2")
    got = whole.reshape(64, 64) * sent["step"]
    np.testing.assert_allclose(got, relevance, atol=np.abs(relevance).max() / 5e4)


def test_the_scale_is_the_percentile_of_all_maps_and_not_of_one():
    strong, weak = (np.full((64, 64), v, np.float32) for v in (2.0, 0.1))
    both = [answer(relevance=strong), answer(relevance=weak)]
    scale = view.scale_view(both, "lrp.epsilon", words)
    assert scale["value"] == pytest.approx(2.0)
    assert scale["unit"] == "logits a pixel"


def test_a_spread_is_said_only_of_several_seeds():
    alone = view.cell_view(case(), answer(), RECORD, words, (0.7,))
    several = view.cell_view(case(), answer(), RECORD, words, (0.6, 0.7, 0.9))
    assert alone["seeds"] is None
    assert several["seeds"]["text"] == ".60 to .90 over 3 seeds"
    assert several["mass_text"] == "38 %" and several["auroc"] == "0.988"


def test_an_audit_that_fails_gets_no_tick():
    broken = answer(audit_line="pixels 1.00 = logit 2.00 fails: +1 is missing")
    assert view.cell_view(case(), answer(), RECORD, words)["adds"]
    assert not view.cell_view(case(), broken, RECORD, words)["adds"]
    assert not view.cell_view(case(), answer(audit_line=None), RECORD, words)["adds"]


def test_the_three_lines_make_the_map_of_the_page(service):
    # They are run as a learner would paste them, after the imports.
    from medattn_app.domain.cases import synthetic_cases

    shown = synthetic_cases("fundus")[1]
    cell = service.cell("fundus", "ResNet", "none", 0.5)
    code = view.snippet(cell, "lrp.epsilon", {}, shown)
    assert len(code.splitlines()) == 3
    names = {}
    exec(
        "import numpy as np\nfrom medattn.data import draw_images\n"
        "from medattn.explain import create_analyzer\n"
        "from medattn.zoo import load_zoo_model\n" + code,
        names,
    )
    expected = service.answer(shown, cell, "lrp.epsilon").relevance
    np.testing.assert_allclose(names["relevance"][0].sum(-1), expected, atol=1e-5)


def test_an_image_carries_its_evidence_bit_by_bit():
    sent = view.case_view(case(), words)
    assert sent["evidence"][10] == "0" * 10 + "1111" + "0" * 50
    assert (
        view.case_view(case(evidence=None, label=None), words)["truth"]
        == "nobody knows"
    )
