"""Quizzes give feedback for every answer; reveal compares with a prediction."""

import re

import pytest

from medattn.teaching import list_quizzes, quiz, reveal


@pytest.mark.parametrize("name", list_quizzes())
def test_each_quiz_has_five_questions_with_feedback_for_every_answer(name):
    questions = quiz(name).questions
    assert len(questions) == 5
    for question in questions:
        choices = question["choices"]
        assert 3 <= len(choices) <= 4
        assert sum(bool(c.get("correct")) for c in choices) == 1
        assert all(len(c["explain"]) > 15 for c in choices)
        assert len({c["text"] for c in choices}) == len(choices)


def test_the_right_letters_are_not_always_the_same():
    for name in list_quizzes():
        right = {
            [bool(c.get("correct")) for c in question["choices"]].index(True)
            for question in quiz(name).questions
        }
        assert len(right) >= 2, name


def test_a_quiz_gives_feedback_as_text_and_as_html():
    one = quiz("07_lrp_deeplift")
    right = next(
        letter
        for letter, c in zip("abcd", one.questions[0]["choices"], strict=False)
        if c.get("correct")
    )
    assert one.answer(1, right).startswith("Right.")
    wrong = "a" if right != "a" else "b"
    assert one.answer(1, wrong).startswith("Wrong.")
    page = one._repr_html_()
    assert page.count("<details>") == sum(len(q["choices"]) for q in one.questions)
    assert "<script" not in page
    assert re.search(r"1\. .*\n   a\) ", repr(one))
    for question, letter in ((0, "a"), (6, "a"), (1, "z"), (1, "ab")):
        with pytest.raises(ValueError, match="There is no such"):
            one.answer(question, letter)
    with pytest.raises(ValueError, match="Unknown quiz"):
        quiz("nonsense")


def test_reveal_compares_the_prediction_with_the_measured_value():
    line = reveal(50, 12.34, what="fraction", unit="%")
    assert line == "fraction: measured 12.3 %; you predicted 50.0 %, off by 37.7 %."
    assert "predicted nothing" in reveal(None, 1.0, what="x")
