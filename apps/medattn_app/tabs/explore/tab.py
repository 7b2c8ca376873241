"""Explore: one question, its answer, its reasons, and the grid to compare with."""

import json
import logging
from dataclasses import asdict
from functools import wraps
from html import escape
from pathlib import Path

from medattn_app.domain.labels import sentence_of
from medattn_app.domain.state import read_query
from medattn_app.gradio_private import event_field, pass_path_only
from medattn_app.tabs.explore.calls import Answers

HERE = Path(__file__).parent
SCRIPTS = ("canvas.js", "viewer.js", "explore.js", "kinds.js", "controls.js")
CALLS = ("strip", "picture", "answer", "fill", "conclude", "gates")


def build(context):
    """Adds the tab's components and events where it is called.

    Args:
        context: The page's `Context`; `"question"`, `"viewer"` and `"own"` are put into
            its `shared`.
    """
    import gradio as gr

    answers, words = Answers(context), context.words
    question = gr.JSON(elem_id="ma-question", elem_classes="ma-unseen")
    viewer = gr.HTML(
        value="",
        html_template=(HERE / "explore.html").read_text(),
        js_on_load="\n".join((HERE / name).read_text() for name in SCRIPTS),
        server_functions=[_call(getattr(answers, name), words) for name in CALLS],
        elem_id="ma-explore",
        catalogue=json.dumps(answers.catalogue()),
        opened="",
        own="",
    )
    context.shared.update(question=question, viewer=viewer, answers=answers)

    def ask(event: gr.EventData):
        return event_field(event, "question")

    viewer.change(
        ask,
        None,
        question,
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    )
    if context.settings.uploads:
        file = pass_path_only(
            gr.UploadButton(
                words("explore.own"),
                elem_id="ma-upload",
                elem_classes="ma-unseen",
            )
        )

        def receive(path, chosen):
            try:
                token = answers.receive(path, (chosen or {}).get("dataset", "fundus"))
            except ValueError as error:
                title = words("explore.unfit")
                raise gr.Error(escape(str(error), quote=False), title=title) from None
            return gr.HTML(own=token)

        file.upload(
            receive,
            [file, question],
            viewer,
            show_progress="hidden",
            api_visibility="private",
        )


def load(context, app):
    """Lets the page open with the question of its link.

    Args:
        context: The page's `Context`, after `build`.
        app: The `gradio.Blocks`.
    """
    import gradio as gr

    def opened(request: gr.Request):
        given = {"lang": context.settings.language} | dict(request.query_params)
        question, refused = read_query(given)
        return gr.HTML(
            opened=json.dumps(
                {"question": as_dict(question), "refused": refused, "at": id(request)}
            )
        )

    app.load(
        opened,
        None,
        context.shared["viewer"],
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    )


def as_dict(question):
    """Writes a `Question` in JSON's types."""
    return asdict(question) | {"hide": list(question.hide)}


def _call(function, words):
    """Makes a function of the server that answers every call, if with a sentence."""

    @wraps(function)
    def call(payload):
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
