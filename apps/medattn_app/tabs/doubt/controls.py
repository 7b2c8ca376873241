"""The controls of Doubt it: one page a tab, each with what its experiment needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from medattn_app.domain.texts import Words
from medattn_app.tabs.common.scripts import compose_script
from medattn_app.tabs.doubt.answers import (
    DELETION_METHODS,
    EXPERIMENTS,
    RANDOMISED_METHODS,
    REFERENCES,
)

HERE = Path(__file__).parent
FIRST_RANDOMISED = ["lrp.epsilon", "gradient", "input_t_gradient", "guided_backprop"]


@dataclass(frozen=True)
class Controls:
    """The components of all experiments.

    Attributes:
        tabs, views: The `gr.Tab` and the `gr.HTML` of each experiment, by name.
        methods, randomise: Which maps to watch, and the button that starts.
        reference, grey: What DeepLIFT compares with.
        order: Which map's order pixels are deleted in.
        measure, reliance: The button that asks the test sets, and what they say.
    """

    tabs: dict[str, Any]
    views: dict[str, Any]
    methods: Any
    randomise: Any
    reference: Any
    grey: Any
    order: Any
    measure: Any
    reliance: Any

    @property
    def values(self) -> list[Any]:
        """What `DoubtAnswers.answer` takes, in its order."""
        return [self.methods, self.reference, self.grey, self.order]


def build_controls(words: Words) -> Controls:
    """Adds the experiments' tabs where it is called."""
    tabs: dict[str, Any] = {}
    views: dict[str, Any] = {}
    with gr.Tabs():
        with _tab("randomise", words, tabs):
            _ask("randomise", words)
            methods, randomise = _randomise_controls(words)
            views["randomise"] = _view("randomise", words)
        with _tab("reference", words, tabs):
            _ask("reference", words)
            reference, grey = _reference_controls(words)
            views["reference"] = _view("reference", words)
        with _tab("plant", words, tabs):  # its view says which mark it is
            views["plant"] = _view("plant", words)
            measure, reliance = _reliance_controls(words)
        with _tab("delete", words, tabs):
            _ask("delete", words)
            order = _order_control(words)
            script = compose_script(HERE / "deletion.js")
            views["delete"] = _view("delete", words, script)
    assert tuple(views) == EXPERIMENTS
    found = methods, randomise, reference, grey, order, measure, reliance
    return Controls(tabs, views, *found)


def _tab(name: str, words: Words, tabs: dict[str, Any]) -> gr.Tab:
    tabs[name] = gr.Tab(words(f"doubt.{name}"), id=name)
    return tabs[name]


def _ask(name: str, words: Words) -> None:
    gr.HTML(f'<p class="ma-ask">{words(f"doubt.{name}.ask")}')


def _view(name: str, words: Words, script: str | None = None) -> gr.HTML:
    return gr.HTML(
        f'<p class="ma-note">{words("doubt.wait")}</p>',
        js_on_load=script,
        elem_id=f"ma-doubt-{name}",
        elem_classes="ma-tests-view",
    )


def _randomise_controls(words: Words) -> tuple[Any, Any]:
    methods = gr.CheckboxGroup(
        [(words(f"method.{name}"), name) for name in RANDOMISED_METHODS],
        value=FIRST_RANDOMISED,
        label=words("doubt.randomise.methods"),
        elem_id="ma-doubt-methods",
    )
    start = gr.Button(
        words("doubt.randomise.go"), variant="primary", elem_id="ma-doubt-go"
    )
    return methods, start


def _reference_controls(words: Words) -> tuple[Any, Any]:
    with gr.Row(elem_classes="ma-knobs"):
        kind = gr.Radio(
            [(words(f"doubt.reference.{name}"), name) for name in REFERENCES],
            value="zeros",
            label=words("doubt.reference.kind"),
            min_width=280,
            elem_id="ma-doubt-kind",
        )
        grey = gr.Slider(
            0,
            1,
            value=0.5,
            step=0.05,
            label=words("doubt.reference.slider"),
            min_width=280,
            elem_id="ma-doubt-grey",
        )
    return kind, grey


def _reliance_controls(words: Words) -> tuple[Any, Any]:
    gr.HTML(f'<p class="ma-ask">{words("doubt.reliance.ask")}</p>')
    ask = gr.Button(
        words("doubt.reliance.go"), variant="primary", elem_id="ma-doubt-tests-go"
    )
    return ask, gr.HTML("", elem_id="ma-doubt-tests", elem_classes="ma-tests-view")


def _order_control(words: Words) -> Any:
    return gr.Radio(
        [(words(f"method.{name}"), name) for name in DELETION_METHODS],
        value=DELETION_METHODS[0],
        label=words("doubt.delete.method"),
        elem_id="ma-doubt-order",
    )
