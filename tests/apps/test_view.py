"""The words on the page are no stronger than the numbers, and carry no script."""

import numpy as np

from medattn_app.first_bench import Answer, Case
from medattn_app.view import page, thumbnails


def case(**changes):
    mask = np.zeros((64, 64), bool)
    mask[10:14, 10:14] = True
    shown = dict(
        name="an eye",
        pixels=np.zeros((64, 64, 3)),
        picture=np.zeros((64, 64, 3)),
        truth="diseased (mild)",
        evidence=mask,
    )
    return Case(**{**shown, **changes})


def answers(chances=(0.74, 0.75, 0.71), mass=0.4):
    corner = np.zeros((64, 64))
    corner[:8, 40:] = -1.0
    return {
        key: Answer(
            chance, corner, "pixels 1.00 + biases 1.00 = logit 2.00", mass, 0.99
        )
        for key, chance in zip(("none", "SE", "CBAM"), chances, strict=True)
    }


def drawn(shown, said, attention="CBAM", method=("LRP, epsilon rule", "lrp.epsilon")):
    return page(
        shown,
        said,
        attention=attention,
        regime="10 %",
        method=method,
        baselines=(0.01, 0.05),
    )


def test_the_sentence_says_what_changed_and_that_it_cannot_tell():
    html = drawn(case(), answers())
    assert "CBAM instead of none, 10 % of the data: P(diseased) .74 → .71" in html
    assert "cannot tell" in html


def test_probabilities_never_claim_certainty_that_rounding_made():
    html = drawn(case(), answers((0.9999, 0.5, 0.0001)))
    assert "&gt; .99" in html and "&lt; .01" in html
    assert ">1.00<" not in html and ">.00<" not in html


def test_the_map_is_told_in_words_for_those_who_do_not_see_it():
    html = drawn(case(), answers())
    assert "most relevance, 100%, lies in the upper right quarter" in html


def test_an_upload_carries_the_caution_and_no_truth():
    html = drawn(case(truth=None, evidence=None), answers(mass=None))
    assert "no judgement of it" in html and "nobody knows" in html
    assert "inside the evidence" not in html


def test_a_method_without_a_ledger_says_so():
    said = {
        k: Answer(a.chance, a.relevance, None, a.mass, a.auroc)
        for k, a in answers().items()
    }
    html = drawn(case(), said, method=("gradient", "gradient"))
    assert "keeps no ledger" in html and "✓" not in html


def test_the_snippet_names_the_network_on_the_page():
    html = drawn(case(), answers(), attention="none")
    assert 'load_zoo_model("micro_resnet", dataset="fundus", regime=0.1)' in html


def test_text_from_outside_is_escaped():
    html = drawn(
        case(name="<script>alert(1)</script>", truth="<b onclick=x>"), answers()
    )
    assert "<script" not in html and "<b onclick" not in html


def test_nothing_on_the_page_points_elsewhere():
    html = drawn(case(), answers()) + thumbnails([case()], 0)
    assert "http" not in html


def test_the_chosen_thumbnail_is_marked():
    html = thumbnails([case(), case()], 1)
    assert html.count('aria-pressed="true"') == 1
    assert html.index('aria-pressed="false"') < html.index('aria-pressed="true"')
