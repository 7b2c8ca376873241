"""The page: a header, the tabs, and the link that opens it where it was left."""

import importlib
import importlib.util
from dataclasses import replace
from html import escape
from pathlib import Path

from medattn_app import explore
from medattn_app.state import TABS, read_query
from medattn_app.words import LANGUAGES, Words

HERE = Path(__file__).parent


def build_app(context=None):
    """Builds the page.

    Args:
        context: A `Context`; a new one of the defaults unless given.

    Returns:
        A `gradio.Blocks`, to be started by `launch`.
    """
    import gradio as gr

    context = context or default_context()
    with gr.Blocks(
        title="medattn", analytics_enabled=False, delete_cache=(600, 3600)
    ) as app:
        _build_page(context, app)
        _part("endpoints", "build", context)
    first = context.words.language
    for language in LANGUAGES:
        if language != first:
            with app.route(LANGUAGES[language], f"/{language}", show_in_navbar=False):
                _build_page(_in_language(context, language), app, home="./")
    return app


def _build_page(context, app, home=None):
    """Builds the page in one language.

    Args:
        context: A `Context` of that language.
        app: The `gradio.Blocks`, which is open.
        home: Where the first language's page lies, if this is another.
    """
    import gradio as gr

    words = context.words
    gr.Navbar(visible=False)
    gr.HTML(
        header(words, home or other_language(words)),
        js_on_load=(HERE / "header.js").read_text(),
        elem_id="ma-top",
    )
    _part("lessons", "build_bar", context)
    panels = {}
    with gr.Tabs(selected="explore", elem_id="ma-tabs") as tabs:
        context.shared["tabs"] = tabs
        for name in TABS:
            if not _there(name) or (name == "own" and not context.settings.uploads):
                continue
            with gr.Tab(
                words(f"page.{name}"), id=name, elem_id=f"ma-tab-{name}"
            ) as panels[name]:
                _part(name, "build", context)
                if name == "explore":
                    _part("export", "build", context)
    if "inside" in panels:
        from medattn_app import inside

        inside.opened(context, panels["inside"])
    explore.load(context, app)

    def select(request: gr.Request):
        question, _ = read_query(request.query_params)
        chosen = question.tab if question.tab in panels else "explore"
        if context.settings.lesson and "tab" not in request.query_params:
            chosen = "lessons"
        return gr.Tabs(selected=chosen)

    # Explore's script hides the tabs that a teacher took away: Gradio 6.31 does not
    # take a tab's button away when its `visible` changes.
    app.load(
        select,
        None,
        tabs,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def _in_language(context, language):
    """Gives the same bench and settings in another language."""
    settings = replace(context.settings, language=language)
    return replace(context, words=Words(language), settings=settings, shared={})


def default_context():
    """Makes a `Context` as `medattn app` does, without options."""
    from medattn_app.bench import Bench
    from medattn_app.context import Context

    return Context(bench=Bench(), words=Words())


def header(words, other):
    """Writes the top of the page: its name, its question, its warning, two switches."""
    return (
        '<header class="ma-header"><h1>medattn</h1>'
        f"<p>{escape(words('page.question'))}</p>"
        f"<strong>{escape(words('page.warning'))}</strong>"
        '<nav><button type="button" data-switch="language" '
        f'lang="{other_language(words)}" data-here="{words.language}" '
        f'data-to="{other}">'
        f"{escape(words('page.other_language'))}</button>"
        '<button type="button" data-switch="theme" aria-label="'
        f'{escape(words("page.theme"))}">◐</button></nav></header>'
    )


def other_language(words):
    """Names the language that the page is not in."""
    return next(language for language in LANGUAGES if language != words.language)


def _there(name):
    """Whether the module of a tab is part of this installation."""
    return importlib.util.find_spec(f"medattn_app.{name}") is not None


def _part(name, function, context):
    """Lets a module add its part of the page, if it is there."""
    if _there(name):
        getattr(importlib.import_module(f"medattn_app.{name}"), function)(context)
