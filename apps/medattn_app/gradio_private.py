"""All that the app takes from inside Gradio and that no documentation promises.

Each function is tried with the pinned version in
`tests/apps/test_gradio_private.py`.
"""

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
