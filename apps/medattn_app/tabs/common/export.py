"""The buttons that save what is on the page as a file."""

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from medattn_app.domain.labels import sentence_of
from medattn_app.domain.texts import Words
from medattn_app.service.context import Context
from medattn_app.tabs.common.export_files import pack
from medattn_app.tabs.common.export_view import View, view_of

SAVE = """(file) => { if (!file) return; const link = document.createElement("a");
  link.href = file.uri; link.download = file.name; document.body.append(link);
  link.click(); link.remove(); }"""


def build(context: Context) -> None:
    """Adds the buttons that export the question on the page.

    Args:
        context: The page's `Context`, with its `"question"`.
    """
    add_buttons(
        context.words,
        lambda asked: view_of(context, asked),
        [context.shared["question"]],
        "ma-export",
    )


def add_buttons(
    words: Words, find: Callable[..., View], inputs: list[Any], element: str
) -> None:
    """Adds a row of buttons, one for each kind of file.

    Args:
        words: The page's `Words`.
        find: A function from the values of `inputs` to a `View`; a ValueError of it is
            shown as a sentence.
        inputs: A list of components.
        element: What the buttons' ids begin with.
    """

    def export_as(kind: str) -> Callable[..., dict[str, str]]:
        def export(*asked: Any) -> dict[str, str]:
            try:
                return pack(find(*asked), words, kind)
            except ValueError as error:
                raise gr.Error(escape(sentence_of(error, words))) from error

        return export

    with gr.Row(elem_classes="ma-export"):
        for kind, key in (("png", "picture"), ("csv", "numbers"), ("html", "page")):
            button = gr.Button(
                words(f"export.{key}"), size="sm", elem_id=f"{element}-{kind}"
            )
            file = gr.JSON(visible=False)
            button.click(
                export_as(kind),
                inputs,
                file,
                concurrency_id="networks",
                api_visibility="private",
                show_progress="hidden",
            ).then(None, file, None, js=SAVE)
