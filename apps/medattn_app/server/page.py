"""The page: a header, the tabs, and the link that opens it where it was left."""

from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from medattn_app.domain.constants import TABS
from medattn_app.domain.state import read_query
from medattn_app.domain.texts import LANGUAGES, Words
from medattn_app.server import endpoints
from medattn_app.service.context import Context
from medattn_app.service.networks import NetworkService
from medattn_app.service.uploads import UPLOAD_SECONDS
from medattn_app.tabs.common import export
from medattn_app.tabs.common.scripts import compose_script
from medattn_app.tabs.doubt import tab as doubt
from medattn_app.tabs.evidence import tab as evidence
from medattn_app.tabs.explore import tab as explore
from medattn_app.tabs.inside import tab as inside
from medattn_app.tabs.lesson import tab as lessons
from medattn_app.tabs.predict import tab as predict
from medattn_app.tabs.uploaded import tab as uploaded

if TYPE_CHECKING:
    import gradio as gr

HERE = Path(__file__).parent
SECONDS_BETWEEN_CLEANUPS = 600  # of the folder of uploads
BUILDERS = {  # by the name of the tab in the address
    "explore": explore.build,
    "inside": inside.build,
    "predict": predict.build,
    "doubt": doubt.build,
    "evidence": evidence.build,
    "lessons": lessons.build,
    "own": uploaded.build,
}


def build_app(context: Context | None = None) -> "gr.Blocks":
    """Builds the page.

    Args:
        context: A `Context`; with the default settings unless given.

    Returns:
        A `gradio.Blocks`, to be started by `launch`.
    """
    import gradio as gr

    context = context or Context(NetworkService())
    with gr.Blocks(
        title="medattn",
        analytics_enabled=False,
        delete_cache=(SECONDS_BETWEEN_CLEANUPS, UPLOAD_SECONDS),
    ) as app:
        _build_page(context, app)
        endpoints.build(context)
    first = context.words.language
    for language in LANGUAGES:
        if language != first:
            with app.route(LANGUAGES[language], f"/{language}", show_in_navbar=False):
                _build_page(_in_language(context, language), app, home="./")
    return app


def _build_page(context: Context, app: "gr.Blocks", home: str | None = None) -> None:
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
        js_on_load=compose_script(HERE / "header.js"),
        elem_id="ma-top",
    )
    lessons.build_bar(context)
    panels = {}
    with gr.Tabs(selected="explore", elem_id="ma-tabs") as tabs:
        context.shared["tabs"] = tabs
        for name in TABS:
            if name == "own" and not context.settings.uploads:
                continue
            with gr.Tab(
                words(f"page.{name}"), id=name, elem_id=f"ma-tab-{name}"
            ) as panels[name]:
                BUILDERS[name](context)
                if name == "explore":
                    export.build(context)
    inside.opened(context, panels["inside"])
    explore.load(context, app)

    def select(request: gr.Request) -> gr.Tabs:
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


def _in_language(context: Context, language: str) -> Context:
    """Gives the same service and settings in another language."""
    settings = replace(context.settings, language=language)
    return replace(context, words=Words(language), settings=settings, shared={})


def header(words: Words, other: str) -> str:
    """Writes the top of the page: its name, its question, its warning, two switches.

    Args:
        words: The texts.
        other: Address of the page in the other language.
    """
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


def other_language(words: Words) -> str:
    """Names the language that the page is not in."""
    return next(language for language in LANGUAGES if language != words.language)
