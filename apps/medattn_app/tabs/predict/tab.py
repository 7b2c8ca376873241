"""Predict, then reveal: the learner answers first, and the session keeps the score."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from medattn_app.domain.cases import Case
from medattn_app.domain.labels import sentence_of
from medattn_app.gradio_private import current_page, event_data
from medattn_app.service.context import Context
from medattn_app.tabs.common.chooser import build_chooser
from medattn_app.tabs.common.scripts import compose_script
from medattn_app.tabs.common.selection import chosen_cell
from medattn_app.tabs.predict.game import (
    METHOD,
    Round,
    case_of_turn,
    new_order,
    read_prediction,
    reveal,
    score,
)
from medattn_app.tabs.predict.view import ask_html, revealed_html, score_html

HERE = Path(__file__).parent
MAX_ROUNDS = 2000  # that a session remembers
QUIET_EVENT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class Session:
    """A visitor's game, kept in memory while the page is open and nowhere else.

    Attributes:
        seed: Of the order of images; None before the first.
        turn: How many images were shown before.
        open: Whether the image on the page waits for a prediction.
        rounds: The images that were revealed.
    """

    seed: int | None = None
    turn: int = 0
    open: bool = True
    rounds: tuple[Round, ...] = ()


def build(context: Context) -> None:
    """Adds the tab's components and events; called inside its `gr.Tab`.

    Args:
        context: The page's `Context`.
    """
    words, game = context.words, Game(context)
    gr.HTML(f'<p class="ma-lead">{words("predict.lead")}</p>')
    session = gr.State(Session())
    with gr.Row(elem_classes="ma-page"):
        with gr.Column(scale=1, min_width=288, elem_classes="ma-controls"):
            chooser = build_chooser(context, "predict", images=False)
        with gr.Column(scale=4, min_width=320, elem_classes="ma-tests"):
            play = gr.HTML(
                "",
                js_on_load=compose_script(HERE / "predict.js"),
                elem_id="ma-predict",
                elem_classes="ma-tests-view",
            )
            tally = gr.HTML(
                score_html(0, None, words),
                elem_id="ma-score",
                elem_classes="ma-tests-view",
            )
    asked, shown = [chooser.dataset, session], [session, play]
    current_page().load(game.ask, asked, shown, **QUIET_EVENT)
    play.submit(
        game.answer,
        [session, *chooser.network],
        [session, play, tally],
        concurrency_id="networks",
        **QUIET_EVENT,
    )
    play.select(game.ask_next, asked, shown, **QUIET_EVENT)
    chooser.dataset.input(game.ask_next, asked, shown, **QUIET_EVENT)


class Game:
    """What the tab's events do.

    Args:
        context: The page's `Context`.
    """

    def __init__(self, context: Context):
        self.service, self.words = context.service, context.words

    def ask(self, dataset: Any, session: Session) -> tuple[Session, str]:
        """Shows the image of the turn, with a seed of its own the first time."""
        session = replace(session, seed=new_order(session.seed), open=True)
        case = self._case(dataset, session)
        return session, ask_html(case, len(session.rounds) + 1, self.words)

    def ask_next(self, dataset: Any, session: Session) -> tuple[Session, str]:
        """Shows the next image."""
        return self.ask(dataset, replace(session, turn=session.turn + 1))

    def answer(
        self, event: gr.EventData, session: Session, *network: Any
    ) -> tuple[Session, str, str]:
        """Reveals the answers, and scores the learner's."""
        words = self.words
        if not session.open or session.seed is None:
            raise gr.Error(words("refused.revealed"))
        try:
            predicted = read_prediction(event_data(event))
            cell = chosen_cell(self.service, *network)
            case = self._case(cell.dataset, session)
            answer = self.service.answer(case, cell, METHOD)
        except ValueError as error:
            reason = sentence_of(error, words)
            raise gr.Error(reason, title=words("refused.title")) from error
        assert case.label is not None and answer.relevance is not None
        latest = Round(case.label, predicted.probability, answer.probability)
        rounds = (*session.rounds[-MAX_ROUNDS:], latest)
        session = replace(session, open=False, rounds=rounds)
        found = reveal(case, predicted, answer.relevance)
        shown = revealed_html(case, predicted, answer, found, len(rounds), words)
        return session, shown, score_html(len(rounds), score(rounds), words)

    def _case(self, dataset: Any, session: Session) -> Case:
        if dataset not in self.service.datasets():
            raise gr.Error("There is no such data set here.")
        assert session.seed is not None
        return case_of_turn(dataset, session.seed, session.turn)
