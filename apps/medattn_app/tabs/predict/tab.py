"""Predict, then reveal: the learner answers first, and the sitting keeps the score."""

from pathlib import Path

from medattn_app.domain.labels import sentence_of
from medattn_app.gradio_private import event_data
from medattn_app.tabs.common.chooser import build_chooser, chosen_cell
from medattn_app.tabs.predict.game import (
    METHOD,
    Round,
    asked_case,
    new_order,
    read_said,
    reveal,
    score,
)
from medattn_app.tabs.predict.view import ask_html, revealed_html, score_html

HERE = Path(__file__).parent
LONGEST = 2000  # rounds that a sitting remembers


def build(context):
    """Adds the tab's components and events; called inside its `gr.Tab`.

    Args:
        context: The page's `Context`.
    """
    import gradio as gr
    from gradio.context import Context as Here

    service, words = context.service, context.words
    gr.HTML(f'<p class="ma-lead">{words("predict.lead")}</p>')
    # A visitor's own, kept in memory while the page is open and nowhere else.
    sitting = gr.State({"seed": None, "turn": 0, "open": True, "rounds": []})
    with gr.Row(elem_classes="ma-page"):
        with gr.Column(scale=1, min_width=288, elem_classes="ma-controls"):
            chooser = build_chooser(context, "predict", images=False)
        with gr.Column(scale=4, min_width=320, elem_classes="ma-tests"):
            play = gr.HTML(
                "",
                js_on_load=(HERE / "marking.js").read_text(),
                elem_id="ma-predict",
                elem_classes="ma-tests-view",
            )
            tally = gr.HTML(
                score_html(0, None, words),
                elem_id="ma-score",
                elem_classes="ma-tests-view",
            )

    def case_of(dataset, sitting):
        if dataset not in service.datasets():
            raise gr.Error("There is no such data set here.")
        return asked_case(dataset, sitting["seed"], sitting["turn"])

    def ask(dataset, sitting):
        """Shows the image of the turn, with a seed of one's own the first time."""
        seed = new_order(sitting["seed"])
        sitting = sitting | {"seed": seed, "open": True}
        case = case_of(dataset, sitting)
        return sitting, ask_html(case, len(sitting["rounds"]) + 1, words)

    def answer(
        dataset, backbone, attention, regime, kind, sitting, event: gr.EventData
    ):
        if not sitting["open"] or sitting["seed"] is None:
            raise gr.Error(words("refused.revealed"))
        try:
            said = read_said(event_data(event))
            cell = chosen_cell(service, dataset, backbone, attention, regime, kind)
            case = case_of(dataset, sitting)
            answer = service.answer(case, cell, METHOD)
        except ValueError as error:
            reason = sentence_of(error, words)
            raise gr.Error(reason, title=words("refused.title")) from error
        rounds = sitting["rounds"][-LONGEST:]
        rounds = [*rounds, Round(case.label, said.chance, answer.probability)]
        sitting = sitting | {"open": False, "rounds": rounds}
        found = reveal(case, said, answer.relevance)
        shown = revealed_html(case, said, answer, found, len(rounds), words)
        return sitting, shown, score_html(len(rounds), score(rounds), words)

    def turn_over(dataset, sitting):
        return ask(dataset, sitting | {"turn": sitting["turn"] + 1})

    quiet = dict(show_progress="hidden", api_visibility="private")
    Here.root_block.load(ask, [chooser.dataset, sitting], [sitting, play], **quiet)
    play.submit(
        answer,
        [*chooser.network, sitting],
        [sitting, play, tally],
        concurrency_id="networks",
        **quiet,
    )
    play.select(turn_over, [chooser.dataset, sitting], [sitting, play], **quiet)
    chooser.dataset.input(
        turn_over, [chooser.dataset, sitting], [sitting, play], **quiet
    )
