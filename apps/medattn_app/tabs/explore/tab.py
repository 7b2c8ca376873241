"""Explore: one question, its answer, its reasons, and the grid to compare with."""

import json
import logging
from collections.abc import Callable
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from medattn_app.domain.labels import sentence_of
from medattn_app.domain.state import read_query
from medattn_app.domain.texts import Words
from medattn_app.gradio_private import event_field, pass_path_only
from medattn_app.service.context import Context
from medattn_app.tabs.common.scripts import compose_script
from medattn_app.tabs.explore.calls import ExploreCalls, Json
from medattn_app.tabs.explore.catalogue import build_catalogue, question_json

HERE = Path(__file__).parent
CALLS = ("strip", "picture", "answer", "fill", "conclude", "gates")
QUIET_EVENT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def build(context: Context) -> None:
    """Adds the tab's components and events where it is called.

    Args:
        context: The page's `Context`; `"question"` and `"viewer"` are put into its
            `shared`.
    """
    calls, words = ExploreCalls(context), context.words
    question = gr.JSON(elem_id="ma-question", elem_classes="ma-unseen")
    viewer = gr.HTML(
        value="",
        html_template=(HERE / "explore.html").read_text("utf-8"),
        js_on_load=compose_script(HERE / "explore.js"),
        server_functions=[
            answer_every_call(getattr(calls, name), words) for name in CALLS
        ],
        elem_id="ma-explore",
        catalogue=json.dumps(build_catalogue(context)),
        opened="",
        uploaded="",
    )
    context.shared.update(question=question, viewer=viewer)

    def take_question(event: gr.EventData) -> Any:
        return event_field(event, "question")

    viewer.change(take_question, None, question, queue=False, **QUIET_EVENT)
    if context.settings.uploads:
        _build_upload(calls, words, question, viewer)


def _build_upload(
    calls: ExploreCalls, words: Words, question: gr.JSON, viewer: gr.HTML
) -> None:
    file = pass_path_only(
        gr.UploadButton(
            words("explore.uploaded"), elem_id="ma-upload", elem_classes="ma-unseen"
        )
    )

    def receive(path: str, chosen: Any) -> Any:
        try:
            reply = calls.receive(path, chosen)
        except ValueError as error:
            title = words("explore.unfit")
            raise gr.Error(escape(str(error), quote=False), title=title) from None
        return gr.HTML(uploaded=json.dumps(reply))

    file.upload(receive, [file, question], viewer, **QUIET_EVENT)


def load(context: Context, app: gr.Blocks) -> None:
    """Lets the page open with the question of its link.

    Args:
        context: The page's `Context`, after `build`.
        app: The `gradio.Blocks`.
    """

    def opened(request: gr.Request) -> Any:
        given = {"lang": context.settings.language} | dict(request.query_params)
        question, refused = read_query(given)
        link = {
            "question": question_json(question),
            "refused": refused,
            "at": id(request),  # so that the same link opens again
        }
        return gr.HTML(opened=json.dumps(link))

    app.load(opened, None, context.shared["viewer"], queue=False, **QUIET_EVENT)


def answer_every_call(
    function: Callable[[Json], Json], words: Words
) -> Callable[[Any], Json]:
    """Makes a function of the server that answers every call, if with a sentence."""

    @wraps(function)
    def call(payload: Any) -> Json:
        try:
            if isinstance(payload, list) and len(payload) == 1:
                payload = payload[0]
            if not isinstance(payload, dict):
                raise ValueError("A call carries a question. Expected a dict.")
            return function(payload)
        except ValueError as error:
            return {"error": sentence_of(error, words)}
        except Exception:
            # What went wrong is for the host; a visitor learns that it did.
            logging.getLogger("medattn_app").exception("A call of the page failed")
            return {"error": words("refused.broken")}

    return call
