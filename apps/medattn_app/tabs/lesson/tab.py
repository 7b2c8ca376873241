"""The lesson's tab: a guided path that knows what the learner did, and the glossary."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from medattn_app.domain.constants import TABS
from medattn_app.domain.texts import Words
from medattn_app.gradio_private import event_data, find_component
from medattn_app.service.context import Context
from medattn_app.tabs.lesson import path as lesson_path
from medattn_app.tabs.lesson.steps import Step
from medattn_app.tabs.lesson.view import (
    after_html,
    bar_html,
    glossary_html,
    intro_html,
    task_html,
)

# The action of a tab that counts: the component and its event, by the tab's name.
ACTIONS = {
    "predict": ("ma-predict", "submit"),
    "doubt": ("ma-doubt-go", "click"),
}
QUICK_EVENT: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "api_visibility": "private",
}


@dataclass
class Panels:
    """The components of the steps, one of each a step.

    Attributes:
        radios: What the learner expects.
        tasks, buttons: What is to be done, and the button that leads there.
        afters: What was found.
        steps: The `gr.Step`s around them.
    """

    radios: list[Any] = field(default_factory=list)
    tasks: list[Any] = field(default_factory=list)
    buttons: list[Any] = field(default_factory=list)
    afters: list[Any] = field(default_factory=list)
    steps: list[Any] = field(default_factory=list)


def build_bar(context: Context) -> None:
    """Builds the line above the tabs that says what to do next, in sight on any tab.

    Call it inside `gr.Blocks`, before the tabs; `build` fills it.
    """
    with gr.Row(elem_classes="ma-lesson-bar", visible=False) as row:
        line = gr.HTML(elem_id="ma-lesson-line")
        back = gr.Button(
            context.words("lesson.back"), size="sm", scale=0, elem_id="ma-lesson-back"
        )
    context.shared["lesson_bar"] = row, line, back


def build(context: Context) -> None:
    """Builds the tab, inside its `gr.Tab`, after all other tabs.

    Args:
        context: The page's `Context`; its `shared` holds `question`, `tabs` and what
            `build_bar` made.
    """
    words, name = context.words, context.settings.lesson or "first"
    begun = lesson_path.begin(name)
    gr.HTML(intro_html(words, name), elem_classes="ma-lesson-intro")
    path, panels = gr.State(begun), Panels()
    with gr.Walkthrough(selected=0, elem_id="ma-walk") as walkthrough:
        for index, step in enumerate(begun.steps):
            title = words(f"lesson.{step.name}.title")
            with gr.Step(title, id=index, interactive=index == 0) as panel:
                _build_step(words, step, panels)
            panels.steps.append(panel)
    with gr.Accordion(words("lesson.glossary"), open=False, elem_id="ma-glossary"):
        gr.HTML(glossary_html(words))
    _listen_to_predictions(context, begun.steps, path, panels)
    _listen_to_actions(context, path, walkthrough, panels)


def _build_step(words: Words, step: Step, panels: Panels) -> None:
    key = f"lesson.{step.name}"
    panels.radios.append(
        gr.Radio(
            [(words(f"{key}.{option}"), option) for option in step.options],
            label=words(f"{key}.ask"),
            info=words("lesson.before"),
            elem_id=f"ma-ask-{step.name}",
            elem_classes="ma-ask",
        )
    )
    panels.tasks.append(gr.HTML(f"<p>{escape(words('lesson.first_answer'))}</p>"))
    panels.buttons.append(
        gr.Button(
            words("lesson.go"),
            interactive=False,
            variant="primary",
            elem_id=f"ma-go-{step.name}",
        )
    )
    panels.afters.append(gr.HTML(elem_id=f"ma-after-{step.name}"))


def _listen_to_predictions(
    context: Context, steps: list[Step], path: gr.State, panels: Panels
) -> None:
    """Lets the learner answer the question of a step, and go to its tab."""
    words, tabs = context.words, context.shared["tabs"]
    row, line, back = context.shared["lesson_bar"]

    def take_prediction(step: Step) -> Callable[..., Any]:
        def predict(option: Any, now: lesson_path.Path) -> tuple[Any, ...]:
            try:
                now = lesson_path.predict(now, step.name, option)
            except ValueError as error:
                raise gr.Error(escape(str(error))) from error
            button, bar = gr.Button(interactive=True), bar_html(words, now)
            return now, task_html(words, step), button, bar, _show_bar(now)

        return predict

    for step, radio, task, button in zip(
        steps, panels.radios, panels.tasks, panels.buttons, strict=True
    ):
        outputs = [path, task, button, line, row]
        radio.input(take_prediction(step), [radio, path], outputs, **QUICK_EVENT)
        button.click(
            lambda tab=step.tab: gr.Tabs(selected=tab), None, tabs, **QUICK_EVENT
        )
    back.click(lambda: gr.Tabs(selected="lessons"), None, tabs, **QUICK_EVENT)


def _listen_to_actions(
    context: Context, path: gr.State, walkthrough: gr.Walkthrough, panels: Panels
) -> None:
    """Completes a step when the learner did on the page what it asks for."""
    words, count = context.words, len(panels.steps)
    tabs, question = context.shared["tabs"], context.shared["question"]
    row, line, _ = context.shared["lesson_bar"]

    def take_action(action: str) -> Callable[..., Any]:
        def observe(
            now: lesson_path.Path,
            asked: Any,
            event: gr.EventData = None,  # type: ignore[assignment]  # Gradio reads it
        ) -> list[Any]:
            asked = dict(asked or {})
            if action == "visit":
                asked["tab"] = opened_tab(event_data(event))
            now, done = lesson_path.observe(now, context, action, asked)
            if done is None:
                return [now, *[gr.skip()] * (3 + 2 * count)]
            afters, steps = [gr.skip()] * count, [gr.skip()] * count
            afters[now.at - 1] = after_html(words, now, done)
            if now.at < count:
                steps[now.at] = gr.Step(interactive=True)
            selected = gr.Walkthrough(selected=min(now.at, count - 1))
            bar = bar_html(words, now, done)
            return [now, bar, _show_bar(now), selected, *afters, *steps]

        return observe

    inputs = [path, question]
    outputs = [path, line, row, walkthrough, *panels.afters, *panels.steps]
    question.change(take_action("question"), inputs, outputs, **QUICK_EVENT)
    tabs.select(take_action("visit"), inputs, outputs, **QUICK_EVENT)
    for tab, (element, event) in ACTIONS.items():
        component = find_component(element)
        if component is not None:
            getattr(component, event)(take_action(tab), inputs, outputs, **QUICK_EVENT)


def opened_tab(selected: object) -> str | None:
    """Reads which tab was opened from what Gradio says of the event: its id."""
    tab = selected.get("id") if isinstance(selected, dict) else None
    return tab if isinstance(tab, str) and tab in TABS else None


def _show_bar(path: lesson_path.Path) -> gr.Row:
    """Shows the bar once the learner has begun."""
    return gr.Row(visible=bool(path.said))
