"""Memory of the server: sessions stay small, and what was freed goes back.

The C library keeps what its threads have freed, in pieces between what is still in use:
with forty threads that each write large answers, the process grows although nothing is
held. Gradio keeps, for each session, a description of every component with the last
value that it was sent, maps and pictures among them; only its deep links read that, and
the page has links of its own.
"""

import ctypes
import gc
import threading
from types import SimpleNamespace

EVERY = 15.0  # seconds between two times that memory is given back
ARENA_MAX, ARENAS = -8, 2  # glibc's M_ARENA_MAX; it would keep eight a core


def tidy(app):
    """Keeps a running app's memory down until it is closed.

    Args:
        app: A `gradio.Blocks` that was launched.
    """
    _keep_sessions_small(app)
    threading.Thread(target=_give_back_now_and_then, args=(app,), daemon=True).start()


def share_arenas():
    """Lets all threads take memory from the same two pools; call it before they start.

    Returns:
        Whether they will; False, too, where the C library is not glibc.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(ARENA_MAX, ARENAS))
    except (AttributeError, OSError, TypeError):
        return False


def give_back():
    """Gives memory that was freed back to the machine.

    Returns:
        Whether any was; False, too, where the C library is not glibc.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return False
    return bool(trim(0))


def look_past_what_stays():
    """Lets the collector of cyclic garbage look past all that is there now.

    It holds every thread while it looks, and at TensorFlow's and Gradio's millions of
    objects for most of a second.
    """
    gc.collect()
    gc.freeze()


class Nothing(dict):
    """Seems to have what Gradio asks for, takes what it writes, and keeps none."""

    def __contains__(self, key):
        return True

    def __missing__(self, key):
        return {}

    def __setitem__(self, key, value):
        pass


def _keep_sessions_small(app):
    from gradio.state_holder import SessionState, StateHolder

    class Sessions(StateHolder):
        def __getitem__(self, session_id):
            if session_id not in self.session_data:
                # Gradio describes those components that `blocks` has: here none.
                bare = SimpleNamespace(default_config=app.default_config, blocks=())
                session = SessionState(bare)
                session.config_values = Nothing()
                self.session_data[session_id] = session
            return super().__getitem__(session_id)

    sessions = Sessions()
    sessions.set_blocks(app)
    app.app.state_holder = sessions


def _give_back_now_and_then(app):
    never = threading.Event()
    while not never.wait(EVERY) and app.is_running:
        give_back()
