"""Predict, then reveal: what is read, what is hidden, and how it is scored."""

import re

import numpy as np
import pytest

from medattn.data import draw_images
from medattn_app.domain.cells import Cell
from medattn_app.domain.labels import case_name
from medattn_app.domain.texts import Words
from medattn_app.service.answers import Answer
from medattn_app.tabs.predict import game
from medattn_app.tabs.predict import view as predict_view

CELL = Cell("fundus", "ResNet", "CBAM", 1.0)
EMPTY = "0" * 1024


def predicted(region=None, label=1, sure=0.8):
    mask = np.zeros((64, 64), bool) if region is None else region
    return game.Prediction(label, sure, mask)


def test_a_region_is_read_bit_by_bit_from_the_upper_left():
    digits = "c" + "0" * 15 + "0" * 15 + "1" + EMPTY[32:]
    read = game.read_prediction({"label": 1, "sure": 80, "region": digits})
    assert read.sure == 0.8 and read.probability == 0.8
    found = {(int(y), int(x)) for y, x in np.argwhere(read.region)}
    assert found == {(0, 0), (0, 1), (1, 63)}
    assert game.read_prediction(
        {"label": 0, "sure": 80, "region": EMPTY}
    ).probability == pytest.approx(0.2)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "x",
        {},
        {"label": 2, "sure": 80, "region": EMPTY},
        {"label": True, "sure": 80, "region": EMPTY},
        {"label": 1, "sure": 101, "region": EMPTY},
        {"label": 1, "sure": 49, "region": EMPTY},
        {"label": 1, "sure": float("nan"), "region": EMPTY},
        {"label": 1, "sure": 80, "region": "zz" * 512},
        {"label": 1, "sure": 80, "region": "0" * 1022},
        {"label": 1, "sure": 80, "region": ["0"] * 1024},
        {"label": 1, "sure": 80, "region": None},
    ],
)
def test_nonsense_is_refused_in_a_sentence(sent):
    with pytest.raises(ValueError, match="Expected"):
        game.read_prediction(sent)


def test_a_session_asks_each_image_once_in_an_order_of_its_own():
    order = game.ordered("fundus", 1)
    assert len(set(order)) == len(order) == game.POOL - len(game.GALLERIES["fundus"])
    assert not set(order) & set(game.GALLERIES["fundus"])
    assert order == game.ordered("fundus", 1) != game.ordered("fundus", 2)
    labels = draw_images("fundus", order[:40])["label"]
    assert 0.25 < labels.mean() < 0.75  # neither class is a safe guess
    assert len({game.new_order() for _ in range(4)}) == 4
    assert game.new_order(7) == 7


def test_the_page_that_asks_holds_nothing_of_the_answer():
    case = game.case_of_turn("fundus", 1, 0)
    html = predict_view.ask_html(case, 1, Words())
    bare = re.sub(r'src="[^"]+"', "", html)
    assert str(case.position) not in re.findall(r"\d+", bare)
    assert case_name(case, Words()) not in html and "evidence" not in bare
    assert html.count("data:image/png") == 1  # the image and no mask


def test_the_regions_are_laid_over_one_another():
    case = next(
        case
        for turn in range(10)
        if (case := game.case_of_turn("fundus", 1, turn)).has_evidence
    )
    relevance = np.where(case.evidence, 2.0, 0.5)
    found = game.reveal(case, predicted(case.evidence), relevance)
    assert (found.map == case.evidence).all()
    assert all(pair == (1, 1, 1) for pair in found.pairs.values())
    empty = game.reveal(case, predicted(), -relevance)
    assert empty.pairs["yours", "map"].iou == 0
    assert np.isnan(empty.pairs["yours", "evidence"].of_first)


def test_the_score_is_that_counted_on_paper():
    rounds = [
        game.Round(1, 0.9, 0.6),  # both right
        game.Round(0, 0.6, 0.1),  # the learner wrong
        game.Round(1, 0.3, 0.4),  # both wrong
    ]
    found = game.score(rounds)
    assert found["learner"]["right"] == 1 and found["network"]["right"] == 2
    expected = (0.1**2 + 0.6**2 + 0.7**2) / 3
    assert found["learner"]["brier"] == pytest.approx(expected)
    np.testing.assert_array_equal(found["learner"]["curve"].count, [0, 1, 1, 0, 1])
    np.testing.assert_allclose(found["learner"]["curve"].happened[[1, 2, 4]], [0, 0, 1])


def revealed(case, word, chance, relevance, language="en"):
    answer = Answer(CELL, chance, 1.0, relevance)
    found = game.reveal(case, word, relevance)
    return predict_view.revealed_html(case, word, answer, found, 1, Words(language))


@pytest.mark.parametrize(
    ("label_right", "network_right", "text"),
    [
        (True, True, "both right"),
        (True, False, "You were right and the network was wrong"),
        (False, True, "The network was right and you were not"),
        (False, False, "both wrong"),
    ],
)
def test_the_sentence_says_who_was_right(label_right, network_right, text):
    case = game.case_of_turn("fundus", 1, 0)
    label = case.label if label_right else 1 - case.label
    network = case.label if network_right else 1 - case.label
    html = revealed(
        case, predicted(label=label), 0.9 if network else 0.1, np.ones((64, 64))
    )
    assert text in html


@pytest.mark.parametrize("language", ["en", "pt"])
def test_every_picture_is_described_and_nothing_is_left_blank(language):
    case = game.case_of_turn("fundus", 1, 0)
    rounds = [game.Round(1, 0.9, 0.6)]
    words = Words(language)
    html = revealed(case, predicted(), 0.7, np.ones((64, 64)), language)
    html += predict_view.score_html(1, game.score(rounds), words)
    html += predict_view.score_html(0, None, words)
    assert html.count('role="img"') == html.count('role="img" aria-label="')
    bare = re.sub(r'src="[^"]+"', "", html)
    assert "nan" not in bare and "{" not in bare and "http" not in bare
