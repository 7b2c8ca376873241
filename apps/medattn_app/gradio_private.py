"""All that the app takes from inside Gradio and that no documentation promises.

Each function is tried with the pinned version in
`tests/apps/test_gradio_private.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import gradio as gr
    from gradio.state_holder import SessionState

TESTED_VERSION = "6.31.0"
Component = TypeVar("Component")
# Gradio asks itself for the page when it starts, and gives up after 3 s: a machine that
# is busy with a study takes longer.
LAUNCH_WITHOUT_SELF_CHECK = {"_frontend": False}


def event_data(event: "gr.EventData | None") -> Any:
    """Returns what a component's script sent with its event; None without an event."""
    return None if event is None else event._data


def event_field(event: "gr.EventData", name: str) -> Any:
    """Returns one field of what a script sent; None if it sent no dict with it."""
    sent = event_data(event)
    return sent.get(name) if isinstance(sent, dict) else None


def pass_path_only(button: Component) -> Component:
    """Makes a button pass on the path of the file that came, and create no other file.

    Gradio's own `gr.UploadButton` also creates an empty file for each one that it
    passes on, only for its name, and never deletes it.

    Args:
        button: A `gr.UploadButton` for a single file.

    Returns:
        The button.
    """
    button.preprocess = lambda payload: getattr(payload, "path", None)  # type: ignore[attr-defined]
    return button


def current_block() -> Any:
    """Returns the layout block that is open, such as the `gr.Tab` being filled."""
    from gradio.context import Context

    return Context.block


def current_page() -> "gr.Blocks":
    """Returns the page that is being built."""
    from gradio.context import Context

    assert Context.root_block is not None
    return Context.root_block


def find_component(elem_id: str) -> "gr.blocks.Block | None":
    """Finds the component with an `elem_id` on the page that is being built."""
    from gradio.context import Context

    page = Context.root_block
    # The latest first: a page in another language has the same names.
    blocks = reversed(page.blocks.values()) if page is not None else ()
    return next((b for b in blocks if getattr(b, "elem_id", None) == elem_id), None)


class EmptyConfig(dict):
    """A dict that seems to have every key, accepts every value, and keeps none."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: object) -> dict:
        return {}

    def __setitem__(self, key: object, value: object) -> None:
        pass


def keep_sessions_small(app: "gr.Blocks") -> None:
    """Keeps nothing for a session but its `gr.State`s.

    Gradio keeps, for each session, a description of every component with the last
    value that it was sent, maps and pictures among them; only its deep links read
    that, and the page has links of its own.

    Args:
        app: A `gradio.Blocks` that was launched.
    """
    from gradio.state_holder import SessionState, StateHolder

    class SmallSessions(StateHolder):
        def __getitem__(self, session_id: str) -> "SessionState":
            if session_id not in self.session_data:
                # Gradio describes those components that `blocks` has: here none.
                bare: Any = SimpleNamespace(
                    default_config=app.default_config, blocks=()
                )
                session = SessionState(bare)
                session.config_values = EmptyConfig()
                self.session_data[session_id] = session
            return super().__getitem__(session_id)

    sessions = SmallSessions()
    sessions.set_blocks(app)
    app.app.state_holder = sessions


@contextmanager
def serve_behind(gate: Callable[[Any], Any]) -> Iterator[None]:
    """Puts an ASGI application in front of all of Gradio's, its CORS answers among it.

    Gradio adds its middleware after a host's, so around it.

    Args:
        gate: Takes an application, and returns the one to serve. It holds for an app
            that is launched inside the `with`.
    """
    from gradio.routes import App

    build = App.build_middleware_stack

    def build_behind(self: Any) -> Any:
        return gate(build(self))

    App.build_middleware_stack = build_behind
    try:
        yield
    finally:
        App.build_middleware_stack = build


def answer_in_sentences(
    app: "gr.Blocks", explain: Callable[[Exception], "gr.Error"]
) -> None:
    """Lets no event of the page fail with anything but a sentence, on any way to it.

    Args:
        app: A `gradio.Blocks` that was launched.
        explain: Makes of an exception the error that a visitor gets; it is not logged
            again.
    """
    process = app.process_api

    async def process_in_sentences(*arguments: Any, **named: Any) -> Any:
        try:
            output = await process(*arguments, **named)
        except Exception as error:
            said = explain(error)
            said.print_exception = False
            raise said from None
        output["data"] = [_without_functions(part) for part in output["data"]]
        return output

    app.process_api = process_in_sentences


def _without_functions(update: Any) -> Any:
    """Drops functions from an update: Gradio writes their addresses in memory.

    It takes a property of a `gr.HTML` that has an event's name for that event.
    """
    if not isinstance(update, dict) or update.get("__type__") != "update":
        return update
    return {name: value for name, value in update.items() if not callable(value)}


def queue_fairly(
    app: "gr.Blocks",
    choose: Callable[[Sequence[tuple[str, str]]], int],
    whom_to_refuse: Callable[[Sequence[tuple[str, str]], tuple[str, str]], int | None],
    visitor_of: Callable[[str | None], str],
    sentences: tuple[str, str],
) -> None:
    """Serves the queue visitor by visitor, and keeps one question of a page waiting.

    Args:
        app: A `gradio.Blocks` after `queue`, before it is launched.
        choose: Takes who waits, as pairs of visitor and session; returns who is next.
        whom_to_refuse: Takes who waits and who comes; returns who goes if all is full.
        visitor_of: Names a visitor by the address of a connection.
        sentences: What a question gets that a newer one replaced, or that went because
            too many wait.
    """
    from gradio.server_messages import ProcessCompletedMessage

    queue = app._queue
    push, get_events = queue.push, queue.get_events

    def asker(event: Any) -> tuple[str, str]:
        client = event.request.client
        return visitor_of(client.host if client else None), event.session_hash

    def waiting() -> list[Any]:
        queues = queue.event_queue_per_concurrency_id.values()
        return [event for one in queues for event in one.queue]

    def drop(event: Any, sentence: str) -> None:
        queue.event_queue_per_concurrency_id[event.concurrency_id].queue.remove(event)
        queue.event_ids_to_events.pop(event._id, None)
        output = {"error": sentence, "visible": True, "duration": 5}
        queue.send_message(
            event, ProcessCompletedMessage(output=output, title="", success=False)
        )

    async def push_fairly(body: Any, request: Any, username: Any) -> Any:
        client = request.client
        newcomer = visitor_of(client.host if client else None), body.session_hash or ""
        # One client of Gradio's own asks for all language models.
        shared = request.headers.get("x-gradio-user") == "mcp"
        async with queue.delete_lock:
            for event in waiting():
                same = event.data is not None and event.data.fn_index == body.fn_index
                if same and asker(event) == newcomer and not shared:
                    drop(event, sentences[0])
            held = waiting()
            if queue.max_size is not None and len(held) >= queue.max_size:
                index = whom_to_refuse([asker(event) for event in held], newcomer)
                if index is not None:
                    drop(held[index], sentences[1])
        return await push(body=body, request=request, username=username)

    def get_events_fairly() -> Any:
        for one in queue.event_queue_per_concurrency_id.values():
            full = one.current_concurrency == one.concurrency_limit
            if len(one.queue) > 1 and not full:
                index = choose([asker(event) for event in one.queue])
                one.queue.insert(0, one.queue.pop(index))
        return get_events()

    queue.push, queue.get_events = push_fairly, get_events_fairly


def forget_values(app: "gr.Blocks", kind: type, session: str | None = None) -> None:
    """Drops what `gr.State`s hold of a kind.

    Args:
        app: A `gradio.Blocks` that was launched.
        kind: The class of the values.
        session: Of this page; of all whose time is over, unless given.
    """
    holder = app.app.state_holder
    if session is None:
        holder.delete_all_expired_state()
        return
    found = holder.session_data.get(session)
    for key, value in list(found.state_data.items()) if found else ():
        if isinstance(value, kind):
            del found.state_data[key]
