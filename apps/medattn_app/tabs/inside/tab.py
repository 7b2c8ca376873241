"""Look inside: the network's own attention, beside the map made afterwards."""

from typing import Any

import gradio as gr

from medattn_app.domain.labels import sentence_of
from medattn_app.domain.state import read_question
from medattn_app.gradio_private import event_field
from medattn_app.service.context import Context
from medattn_app.tabs.common.chooser import (
    build_chooser,
    follow_question,
    strip_html,
)
from medattn_app.tabs.common.selection import chosen_case, chosen_cell, kind_key
from medattn_app.tabs.inside import view as inside_view
from medattn_app.tabs.inside.reader import AttentionReader

NETWORK = 5  # values of a chooser that name a network
DRAWING_EVENT: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_id": "networks",
}
LATEST_EVENT: dict[str, Any] = DRAWING_EVENT | {"trigger_mode": "always_last"}


def build(context: Context) -> None:
    """Adds the tab's components and events where it is called.

    Args:
        context: The page's `Context`.
    """
    service, words = context.service, context.words
    reader = AttentionReader(service)
    gr.HTML(inside_view.lead(words))
    with gr.Row(elem_classes="ma-page"):
        with gr.Column(scale=1, min_width=264, elem_classes="ma-controls"):
            chooser = build_chooser(context, "inside")
        with gr.Column(scale=4, min_width=320):
            view = gr.HTML(
                f"<p class='ma-wait'>{words('page.compiling')}</p>",
                elem_id="ma-inside-view",
                elem_classes="ma-tests-view",
            )
    looked = gr.State(False)

    def draw(*chosen: Any) -> str:
        try:
            cell = chosen_cell(service, *chosen[:NETWORK])
            case = chosen_case(service, cell.dataset, chosen[NETWORK])
        except ValueError as error:
            return inside_view.sentence(sentence_of(error, words))
        return inside_view.page(case, cell, reader.read(case, cell), words)

    def draw_first(*chosen: Any) -> tuple[str, bool]:
        return draw(*chosen), True

    def pick(event: gr.EventData, *network: Any) -> tuple[Any, str, str]:
        index = event_field(event, "index")
        chosen_case(service, network[0], index)
        strip = strip_html(service.cases(network[0]), index, words)
        return index, strip, draw(*network, index)

    def follow(question: dict[str, Any] | None, looked: bool) -> Any:
        """Draws what Explore asks, once the tab has been looked at."""
        if not looked:
            return gr.skip()
        asked = read_question(question or {})
        kind = kind_key(asked.initialisation, asked.shortcut)
        index = min(asked.image, len(service.cases(asked.dataset)) - 1)
        network = asked.dataset, asked.backbone, asked.attention, asked.regime, kind
        return draw(*network, index)

    for control in chooser.network:
        control.input(draw, chooser.inputs, view, **LATEST_EVENT)
    moved = [chooser.image, chooser.strip, view]
    chooser.strip.click(pick, chooser.network, moved, **LATEST_EVENT)
    follow_question(context, chooser)
    context.shared["question"].change(
        follow, [context.shared["question"], looked], view, **LATEST_EVENT
    )
    context.shared["tab_inside"] = draw_first, chooser.inputs, [view, looked]


def opened(context: Context, tab: gr.Tab) -> None:
    """Draws the tab when it is opened.

    Args:
        context: The page's `Context`, after `build`.
        tab: The `gr.Tab`.
    """
    draw, inputs, outputs = context.shared["tab_inside"]
    tab.select(draw, inputs, outputs, **DRAWING_EVENT)
