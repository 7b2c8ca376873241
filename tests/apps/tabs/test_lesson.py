"""The guided path counts actions, no clicks on "next", and judges by measurements."""

from types import SimpleNamespace

import pytest

from medattn_app.domain.texts import LANGUAGES, Words, read_terms, read_texts
from medattn_app.tabs.lesson.path import begin, observe, predict, score
from medattn_app.tabs.lesson.steps import (
    LESSONS,
    STEPS,
    outcome,
    probability_in_words,
)
from medattn_app.tabs.lesson.tab import opened_tab
from medattn_app.tabs.lesson.view import (
    after_html,
    bar_html,
    glossary_html,
    task_html,
)

FIRST = dict(
    dataset="fundus",
    image=0,
    backbone="ResNet",
    attention="CBAM",
    regime=1.0,
    method="lrp.epsilon",
    seed=0,
    tab="explore",
)


class Answers:
    """A service whose numbers follow from the question, so that outcomes are known."""

    def case_of(self, question):
        return f"{question.dataset}{question.image}"

    def cell_of(self, question):
        return question.attention, question.regime

    def answer(self, case, cell, method):
        attention, regime = cell
        inside = {"none": 0.40, "SE": 0.42, "CBAM": 0.20}[attention]
        return SimpleNamespace(
            probability=0.9 if regime == 1.0 else 0.3,
            quality={} if case == "fundus1" else {"mass": inside},
            audit_line="pixels 1 = logit 1" if method == "lrp.epsilon" else None,
            refused=None,
        )


@pytest.fixture
def context():
    return SimpleNamespace(service=Answers(), words=Words())


def on(name, context, option, **first):
    """A path whose next step is the one named, answered, with a question seen."""
    path = begin("first")
    while path.step.name != name:
        path = path.__class__(**{**path.__dict__, "at": path.at + 1})
    path = predict(path, name, option)
    path, done = observe(path, context, "question", {**FIRST, **first})
    assert done is None  # the first question seen is no change
    return path


def test_there_are_eight_steps_and_every_lesson_is_made_of_them():
    assert len(STEPS) == 8 and LESSONS["first"] == tuple(STEPS)
    assert all(set(names) <= set(STEPS) for names in LESSONS.values())
    assert {step.tab for step in STEPS.values()} == {
        "explore", "inside", "predict", "doubt", "evidence",
    }  # fmt: skip


def test_every_step_and_lesson_has_its_texts():
    texts = read_texts()
    for step in STEPS.values():
        for part in ("title", "ask", "task", "after", *step.options):
            assert f"lesson.{step.name}.{part}" in texts
    assert {f"lesson.{name}" for name in LESSONS} <= set(texts)


def test_an_action_before_the_prediction_does_not_count(context):
    path, _ = observe(begin(), context, "question", FIRST)
    path, done = observe(path, context, "question", {**FIRST, "image": 3})
    assert done is None and path.at == 0
    path = predict(path, "read", "disease")
    path, done = observe(path, context, "question", {**FIRST, "image": 4})
    assert done is STEPS["read"] and path.at == 1


def test_only_the_action_that_was_asked_for_completes_a_step(context):
    path = on("data", context, "less")
    for action, change in (
        ("question", {"attention": "SE"}),
        ("question", {"attention": "SE", "regime": 0.1}),
        ("visit", {"regime": 0.01}),
        ("predict", {"regime": 0.01}),
    ):
        assert observe(path, context, action, {**FIRST, **change})[1] is None
    assert (
        observe(path, context, "question", {**FIRST, "regime": 0.1})[1] is STEPS["data"]
    )


def test_more_data_is_not_less(context):
    path = on("data", context, "less", regime=0.1)
    assert observe(path, context, "question", {**FIRST, "regime": 0.5})[1] is None


def test_the_verdict_on_less_data_is_what_the_bench_measures(context):
    path = on("data", context, "more")
    path, _ = observe(path, context, "question", {**FIRST, "regime": 0.01})
    assert dict(path.right)["data"] == "less"
    assert dict(dict(path.after)["data"]) == {"was": "0.90", "now": "0.30"}
    html = after_html(Words(), path, STEPS["data"])
    assert "went from 0.90 to 0.30" in html and "Not as you expected" in html


def test_a_block_that_moves_two_points_counts_as_no_change(context):
    path = on("attention", context, "same", attention="none")
    path, _ = observe(path, context, "question", {**FIRST, "attention": "SE"})
    assert dict(path.right)["attention"] == "same"
    path = on("attention", context, "same")  # CBAM, 20 %, to none, 40 %
    path, _ = observe(path, context, "question", {**FIRST, "attention": "none"})
    assert dict(path.right)["attention"] == "more"


def test_an_image_without_evidence_is_not_judged(context):
    path = on("attention", context, "more", image=1)
    path, done = observe(
        path, context, "question", {**FIRST, "image": 1, "attention": "SE"}
    )
    assert done is STEPS["attention"] and dict(path.right)["attention"] is None
    assert "could not be measured" in after_html(Words(), path, done)
    assert score(path) == (0, 0)


def test_the_audit_is_read_from_the_answer(context):
    path = on("method", context, "no")
    path, _ = observe(path, context, "question", {**FIRST, "method": "gradient"})
    assert dict(path.right)["method"] == "no" and score(path) == (1, 1)


@pytest.mark.parametrize("name", ["inside", "evidence"])
def test_opening_the_tab_completes_a_step_about_it(context, name):
    path = on(name, context, STEPS[name].options[0])
    assert observe(path, context, "visit", {**FIRST, "tab": "explore"})[1] is None
    assert observe(path, context, "visit", {**FIRST, "tab": name})[1] is STEPS[name]


@pytest.mark.parametrize("name", ["predict", "doubt"])
def test_only_the_action_completes_a_step_on_its_tab(context, name):
    path = on(name, context, STEPS[name].options[0])
    assert observe(path, context, "visit", {**FIRST, "tab": name})[1] is None
    assert observe(path, context, name, FIRST)[1] is STEPS[name]


def test_a_prediction_cannot_be_changed_after_the_action(context):
    path = on("data", context, "more")
    path, _ = observe(path, context, "question", {**FIRST, "regime": 0.01})
    assert dict(predict(path, "data", "less").said)["data"] == "more"


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="no lesson 'nonsense'"):
        begin("nonsense")
    for step, option in (("data", "nonsense"), ("nonsense", "more"), ("data", None)):
        with pytest.raises(ValueError, match="no such answer"):
            predict(begin(), step, option)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_is_written_in_both_languages(context, language):
    words = Words(language)
    path = begin()
    for step in path.steps:
        path = predict(path, step.name, step.options[0])
        path = path.__class__(
            **{
                **path.__dict__,
                "at": path.at + 1,
                "right": (*path.right, (step.name, step.options[-1])),
                "after": (*path.after, (step.name, (("was", "1"), ("now", "2")))),
            }
        )
        assert words(f"lesson.{step.name}.title") in after_html(words, path, step)
        assert task_html(words, step) and bar_html(words, path, step)
    assert 'data-testid="lesson-end"' in bar_html(words, path)


def test_the_glossary_holds_every_term_once():
    html = glossary_html(Words("pt"))
    assert html.count("<dt") == html.count("<dd") == len(read_terms())


def test_numbers_are_said_without_false_certainty():
    said = [probability_in_words(value) for value in (0.9999, 0.0001, 0.5)]
    assert said == ["> 0.99", "< 0.01", "0.50"]
    assert [outcome(0.5, x) for x in (0.6, 0.4, 0.54)] == ["more", "less", "same"]


@pytest.mark.parametrize("tab", ["inside", "evidence"])
def test_a_tab_is_known_by_its_id_whatever_the_language_of_its_label(tab):
    for words in map(Words, LANGUAGES):
        selected = {"index": 1, "value": words(f"page.{tab}"), "id": tab}
        assert opened_tab(selected) == tab


@pytest.mark.parametrize(
    "selected", [None, "inside", {}, {"id": ["a"]}, {"id": "<b>"}, {"value": "inside"}]
)
def test_a_tab_that_there_is_not_is_none(selected):
    assert opened_tab(selected) is None
