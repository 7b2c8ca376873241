"""Doubt it: four experiments, each with the number that it should move."""

from typing import Any

import gradio as gr

from medattn_app.domain.labels import sentence_of
from medattn_app.gradio_private import current_block, event_field
from medattn_app.service.context import Context
from medattn_app.tabs.common.chooser import (
    Chooser,
    build_chooser,
    follow_question,
    strip_html,
)
from medattn_app.tabs.common.selection import chosen_case, chosen_cell
from medattn_app.tabs.doubt.answers import EXPERIMENTS, DoubtAnswers
from medattn_app.tabs.doubt.controls import Controls, build_controls

NETWORK = 5  # values of a chooser that name a network
QUIET_EVENT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
SLOW_EVENT: dict[str, Any] = {"concurrency_id": "networks", "api_visibility": "private"}
DRAWING_EVENT: dict[str, Any] = {
    **SLOW_EVENT,
    "trigger_mode": "always_last",
    "show_progress": "minimal",  # a network that is new takes seconds to compile
}


def build(context: Context) -> None:
    """Adds the tab's components and events; called inside its `gr.Tab`.

    Args:
        context: The page's `Context`.
    """
    words, tab = context.words, current_block()
    gr.HTML(f'<p class="ma-lead">{words("doubt.lead")}</p>')
    with gr.Row(elem_classes="ma-page"):
        with gr.Column(scale=1, min_width=288, elem_classes="ma-controls"):
            chooser = build_chooser(context, "doubt")
        with gr.Column(scale=4, min_width=320, elem_classes="ma-tests"):
            opened = gr.State(EXPERIMENTS[0])
            controls = build_controls(words)
    events = DoubtEvents(context)
    _listen_to_choices(events, tab, opened, chooser, controls)
    _listen_to_buttons(events, chooser, controls)
    follow_question(context, chooser)


class DoubtEvents:
    """What the tab's events do with the values of its controls.

    `chosen` are the values of `Chooser.inputs` (or of `Chooser.network`) and then those
    of `Controls.values`.

    Args:
        context: The page's `Context`.
    """

    def __init__(self, context: Context):
        self.service, self.words = context.service, context.words
        self.answers = DoubtAnswers(context)

    def draw(self, opened: str, *chosen: Any) -> list[Any]:
        """Draws the experiment that is open, and leaves the others as they are."""
        drawn = dict.fromkeys(EXPERIMENTS, gr.skip())
        network, (index, *values) = chosen[:NETWORK], chosen[NETWORK:]
        try:
            cell = chosen_cell(self.service, *network)
            case = chosen_case(self.service, cell.dataset, index)
            drawn[opened] = self.answers.answer(opened, case, cell, *values)
        except ValueError as error:
            raise self._refused(error) from error
        return list(drawn.values())

    def draw_grey(self, opened: str, *chosen: Any) -> list[Any]:
        """A grey that moves is the one to compare with."""
        *before, methods, _, grey, order = chosen
        drawn = self.draw(opened, *before, methods, "grey", grey, order)
        return ["grey", *drawn]

    def pick(self, event: gr.EventData, opened: str, *chosen: Any) -> list[Any]:
        """Draws with the image that was pressed in the strip."""
        return self._draw_image(event_field(event, "index"), opened, *chosen)

    def change_dataset(self, opened: str, *chosen: Any) -> list[Any]:
        """Draws with the first image of another data set."""
        return self._draw_image(0, opened, *chosen)

    def randomise(
        self,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
        *chosen: Any,
    ) -> str:
        """Randomises the weights for the maps that are watched."""
        network, (index, methods) = chosen[:NETWORK], chosen[NETWORK:]
        try:
            cell = chosen_cell(self.service, *network)
            case = chosen_case(self.service, cell.dataset, index)
            return self.answers.randomise(case, cell, methods, progress)
        except ValueError as error:
            raise self._refused(error) from error

    def measure_reliance(
        self,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
        *network: Any,
    ) -> str:
        """Asks the test sets whose mark goes with the class, or against it."""
        try:
            cell = chosen_cell(self.service, *network)
        except ValueError as error:
            raise self._refused(error) from error
        return self.answers.measure_reliance(cell, progress)

    def _draw_image(self, index: Any, opened: str, *chosen: Any) -> list[Any]:
        network, values = chosen[:NETWORK], chosen[NETWORK:]
        drawn = self.draw(opened, *network, index, *values)
        strip = strip_html(self.service.cases(network[0]), index, self.words)
        return [index, strip, *drawn]

    def _refused(self, error: ValueError) -> gr.Error:
        title = self.words("refused.title")
        return gr.Error(sentence_of(error, self.words), title=title)


def _listen_to_choices(
    events: DoubtEvents,
    tab: Any,
    opened: gr.State,
    chooser: Chooser,
    controls: Controls,
) -> None:
    """Draws the open experiment again whenever something else is chosen."""
    inputs = [opened, *chooser.inputs, *controls.values]
    outputs = list(controls.views.values())
    triggers = [
        chooser.backbone.input,
        chooser.attention.input,
        chooser.regime.input,
        chooser.kind.input,
        controls.reference.input,
        controls.order.input,
        tab.select,
    ]
    gr.on(triggers, events.draw, inputs, outputs, **DRAWING_EVENT)
    hidden = DRAWING_EVENT | {"show_progress": "hidden"}
    moved = [controls.reference, *outputs]
    controls.grey.input(events.draw_grey, inputs, moved, **hidden)
    inputs = [opened, *chooser.network, *controls.values]
    moved = [chooser.image, chooser.strip, *outputs]
    chooser.strip.click(events.pick, inputs, moved, **DRAWING_EVENT)
    chooser.dataset.input(events.change_dataset, inputs, moved, **DRAWING_EVENT)
    inputs = [opened, *chooser.inputs, *controls.values]
    for name, one in controls.tabs.items():
        one.select(
            lambda name=name: name, None, opened, queue=False, **QUIET_EVENT
        ).then(events.draw, inputs, outputs, **DRAWING_EVENT)


def _listen_to_buttons(
    events: DoubtEvents, chooser: Chooser, controls: Controls
) -> None:
    """Starts what takes long only when its button is pressed."""
    controls.measure.click(
        events.measure_reliance, chooser.network, controls.reliance, **SLOW_EVENT
    )
    for control in chooser.network:  # what was said is of other networks now
        control.change(lambda: "", None, controls.reliance, queue=False, **QUIET_EVENT)
    controls.randomise.click(
        events.randomise,
        [*chooser.inputs, controls.methods],
        controls.views["randomise"],
        **SLOW_EVENT,
    )
