"""What stands between visitors and the app: the gate, fair turns, plain sentences."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from medattn_app.domain.cases import Case
from medattn_app.domain.texts import Words
from medattn_app.gradio_private import (
    answer_in_sentences,
    forget_values,
    queue_fairly,
    serve_behind,
)
from medattn_app.server.gate import Gate, GateRules
from medattn_app.server.turns import CROWDED, SUPERSEDED
from medattn_app.service.context import Context, Settings
from medattn_app.service.fairness import Fairness, visitor_of, whom_to_refuse
from medattn_app.service.faults import FAULTS, raised_by_us
from medattn_app.service.uploads import delete_orphans, read_size

if TYPE_CHECKING:
    import gradio as gr

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LOCAL_PAGES = ("http://localhost:*", "http://127.0.0.1:*")
# What a visitor never reads: addresses of objects, paths, the words of libraries.
INTERNAL = re.compile(
    r"0x[0-9a-f]{6}|/(?:[\w.+-]+/)+|[A-Z]:\\|<class|Traceback|NoneType|pydantic|"
    r"\bself\b|unhashable|__\w+__|\b\w+Error\b|site-packages|numpy|positional"
)


def protect(app: "gr.Blocks", settings: Settings) -> None:
    """Makes an app's queue fair and its errors plain; call it after `app.queue`.

    Args:
        app: A `gradio.Blocks` that was not launched yet.
        settings: The host's `Settings`.
    """
    words = Words(settings.language)
    answer_in_sentences(app, lambda error: plain_error(error, words))
    queue_fairly(
        app, Fairness().choose, whom_to_refuse, visitor_of, (SUPERSEDED, CROWDED)
    )


def behind_the_gate(
    app: "gr.Blocks", context: Context, host: str, *, mcp: bool
) -> AbstractContextManager[None]:
    """Lets an app that is launched inside the `with` be served behind a `Gate`.

    Args:
        app: A `gradio.Blocks` that was not launched yet.
        context: Its `Context`.
        host: Address to listen on; on the loopback one a notebook may frame the page.
        mcp: Whether language models may call the endpoints.
    """
    settings = context.settings
    notebooks = LOCAL_PAGES if host in LOOPBACK else ()
    rules = GateRules(
        max_upload=read_size(settings.max_upload),
        uploads=settings.uploads,
        mcp=mcp,
        waiting=settings.queue,
        embedded_by=settings.embedded_by + notebooks,
    )

    def forget(session: str) -> None:
        for forget_images in context.shared.get("forget", ()):
            forget_images(session)
        forget_values(app, Case, session)

    return serve_behind(lambda inner: Gate(inner, rules, forget))


def sweeper(app: "gr.Blocks", context: Context) -> Callable[[], None]:
    """Makes the function that drops what visitors left behind.

    Args:
        app: A `gradio.Blocks` that was launched.
        context: Its `Context`.
    """

    def sweep() -> None:
        delete_orphans()
        forget_values(app, Case)
        for sweep_images in context.shared.get("sweep", ()):
            sweep_images()

    return sweep


def plain_error(error: Exception, words: Words) -> "gr.Error":
    """Makes of any exception what a visitor may read.

    Args:
        error: What an event raised, or Gradio on the way to it.
        words: Of the page.

    Returns:
        A `gradio.Error`: the sentence that we wrote, or one that says that it failed.
    """
    import gradio as gr

    if isinstance(error, gr.Error) and raised_by_us(error):
        if not INTERNAL.search(str(error.message)):
            return error
    else:
        FAULTS.report(error, "An event failed")
    return gr.Error(words("refused.broken"), title=words("refused.title"))
