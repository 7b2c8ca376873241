"""The lesson's tab: a guided path that knows what the learner did, and the glossary."""

from html import escape

from medattn_app.domain.constants import TABS
from medattn_app.gradio_private import event_data, find_component
from medattn_app.tabs.lesson import path as lesson_path
from medattn_app.tabs.lesson.steps import LESSONS

# What the deed of a tab is: the element whose event counts, by the tab's name.
ACTS = {
    "predict": ("ma-predict", "submit"),
    "doubt": ("ma-doubt-go", "click"),
}


def build_bar(context):
    """Builds the line above the tabs that says what to do next: in any tab in sight.

    Call it inside `gr.Blocks`, before the tabs; `build` fills it.
    """
    import gradio as gr

    with gr.Row(elem_classes="ma-lesson-bar", visible=False) as row:
        line = gr.HTML(elem_id="ma-lesson-line")
        back = gr.Button(
            context.words("lesson.back"), size="sm", scale=0, elem_id="ma-lesson-back"
        )
    context.shared["lesson_bar"] = row, line, back


def build(context):
    """Builds the tab, inside its `gr.Tab`, after all other tabs.

    Args:
        context: The page's `Context`; its `shared` holds `question`, `tabs` and what
            `build_bar` made.
    """
    import gradio as gr

    words = context.words
    name = context.settings.lesson or "first"
    steps = lesson_path.begin(name).steps
    tabs, question = context.shared["tabs"], context.shared["question"]
    row, line, back = context.shared["lesson_bar"]

    gr.HTML(_intro(words, name), elem_classes="ma-lesson-intro")
    path = gr.State(lesson_path.begin(name))
    radios, tasks, goes, afters, panels = [], [], [], [], []
    with gr.Walkthrough(selected=0, elem_id="ma-walk") as walk:
        for place, step in enumerate(steps):
            key = f"lesson.{step.name}"
            with gr.Step(
                words(f"{key}.title"), id=place, interactive=place == 0
            ) as panel:
                radios.append(
                    gr.Radio(
                        [(words(f"{key}.{o}"), o) for o in step.options],
                        label=words(f"{key}.ask"),
                        info=words("lesson.before"),
                        elem_id=f"ma-ask-{step.name}",
                        elem_classes="ma-ask",
                    )
                )
                tasks.append(gr.HTML(f"<p>{escape(words('lesson.first_answer'))}</p>"))
                goes.append(
                    gr.Button(
                        words("lesson.go"),
                        interactive=False,
                        variant="primary",
                        elem_id=f"ma-go-{step.name}",
                    )
                )
                afters.append(gr.HTML(elem_id=f"ma-after-{step.name}"))
            panels.append(panel)
    with gr.Accordion(words("lesson.glossary"), open=False, elem_id="ma-glossary"):
        gr.HTML(glossary(words))

    quick = dict(queue=False, show_progress="hidden", api_visibility="private")

    def answer(step):
        def answered(option, now):
            try:
                now = lesson_path.say(now, step.name, option)
            except ValueError as error:
                raise gr.Error(escape(str(error))) from error
            task = task_html(words, step)
            return now, task, gr.Button(interactive=True), bar(words, now), shown(now)

        return answered

    for step, radio, task, go in zip(steps, radios, tasks, goes, strict=True):
        radio.input(answer(step), [radio, path], [path, task, go, line, row], **quick)
        go.click(lambda tab=step.tab: gr.Tabs(selected=tab), None, tabs, **quick)
    back.click(lambda: gr.Tabs(selected="lessons"), None, tabs, **quick)

    def seen(deed):
        def note(now, shown_question, event: gr.EventData = None):
            asked = dict(shown_question or {})
            if deed == "visit":
                place = event_data(event)
                asked["tab"] = tab_of(place, words)
            moved, done = lesson_path.see(now, context, deed, asked)
            rest = [gr.skip()] * (3 + 2 * len(steps))
            if done is None:
                return [moved, *rest]
            at = moved.at
            rest[:3] = (
                bar(words, moved, done),
                shown(moved),
                gr.Walkthrough(selected=min(at, len(steps) - 1)),
            )
            rest[3 + at - 1] = after_html(words, moved, done)
            if at < len(steps):
                rest[3 + len(steps) + at] = gr.Step(interactive=True)
            return [moved, *rest]

        return note

    outputs = [path, line, row, walk, *afters, *panels]
    question.change(seen("question"), [path, question], outputs, **quick)
    tabs.select(seen("visit"), [path, question], outputs, **quick)
    for tab, (element, event) in ACTS.items():
        button = find_component(element)
        if button is not None:
            getattr(button, event)(seen(tab), [path, question], outputs, **quick)


def shown(path):
    """Shows the bar once the learner has begun."""
    import gradio as gr

    return gr.Row(visible=bool(path.said))


def bar(words, path, done=None):
    """Writes the line above the tabs: what was just found, and what is next."""
    parts = []
    if done is not None:
        parts.append(after_html(words, path, done))
    step = path.step
    if step is None:
        right, judged = lesson_path.score(path)
        end = words("lesson.end", all=len(path.steps), right=right, judged=judged)
        parts.append(f'<p data-testid="lesson-end"><b>{escape(end)}</b></p>')
    else:
        at = words("lesson.bar", at=path.at + 1, all=len(path.steps))
        title = escape(words(f"lesson.{step.name}.title"))
        what = f"lesson.{step.name}.task" if path.answered else "lesson.first_answer"
        parts.append(
            f'<p data-testid="lesson-next"><b>{escape(at)}: {title}.</b> '
            f"{escape(words(what))}</p>"
        )
    return f'<div role="status" class="ma-lesson-line">{"".join(parts)}</div>'


def task_html(words, step):
    """Writes what is to be done, once the question is answered."""
    return (
        f"<p><b>{escape(words('lesson.now_do'))}</b> "
        f"{escape(words(f'lesson.{step.name}.task'))}</p>"
    )


def after_html(words, path, step):
    """Writes what the learner expected, what it was, and why."""
    key = f"lesson.{step.name}"
    said, right = dict(path.said)[step.name], dict(path.right)[step.name]
    numbers = dict(dict(path.after)[step.name])
    text = words(f"{key}.after", **numbers)
    lines = [words("lesson.you_said", said=words(f"{key}.{said}"))]
    if right is not None:
        lines.append(words("lesson.it_was", right=words(f"{key}.{right}")))
        lines.append(
            words("lesson.came_true" if said == right else "lesson.came_other")
        )
    elif "?" in numbers.values():
        lines.append(words("lesson.not_measured"))
        text = ""
    return (
        f'<p class="ma-lesson-after" data-testid="after-{step.name}">'
        f"<b>✓ {escape(words(f'{key}.title'))}.</b> {escape(' '.join(lines))} "
        f"{escape(text)}</p>"
    )


def glossary(words):
    """Writes every term with its sentence, in the order of the alphabet."""
    terms = sorted(words.glossary().items(), key=lambda pair: pair[1][0].casefold())
    entries = "".join(
        f'<dt id="ma-word-{key}">{escape(name)}</dt><dd>{escape(sentence)}</dd>'
        for key, (name, sentence) in terms
    )
    return f'<dl class="ma-words">{entries}</dl>'


def lesson_names():
    """Lists the lessons that `--lesson` knows."""
    return list(LESSONS)


def _intro(words, name):
    return (
        f"<h2>{escape(words(f'lesson.{name}'))}</h2>"
        f"<p>{escape(words('lesson.intro'))}</p>"
    )


def tab_of(data, words):
    """Reads which tab was opened from what Gradio says of the event: its label."""
    label = data.get("value") if isinstance(data, dict) else None
    return next((tab for tab in TABS if words(f"page.{tab}") == label), None)
