"""Memory of the server: what was freed goes back to the machine.

The C library keeps what its threads have freed, in pieces between what is still in use:
with forty threads that each write large answers, the process grows although nothing is
held.
"""

import ctypes
import gc
import threading
from typing import TYPE_CHECKING

from medattn_app.gradio_private import keep_sessions_small

if TYPE_CHECKING:
    import gradio as gr

SECONDS_BETWEEN_TRIMS = 15.0
# glibc's option M_ARENA_MAX, and its value; by default there are eight a core.
ARENA_MAX_OPTION, MAX_ARENAS = -8, 2


def keep_memory_down(app: "gr.Blocks") -> None:
    """Keeps a running app's memory down until it is closed.

    Args:
        app: A `gradio.Blocks` that was launched.
    """
    keep_sessions_small(app)
    threading.Thread(target=_trim_regularly, args=(app,), daemon=True).start()


def share_arenas() -> bool:
    """Lets all threads take memory from the same two pools; call it before they start.

    Returns:
        Whether they will; False, too, where the C library is not glibc.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(ARENA_MAX_OPTION, MAX_ARENAS))
    except (AttributeError, OSError, TypeError):
        return False


def trim_memory() -> bool:
    """Gives memory that was freed back to the machine.

    Returns:
        Whether any was; False, too, where the C library is not glibc.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return False
    return bool(trim(0))


def freeze_garbage_collection() -> None:
    """Lets the collector of cyclic garbage pass over all objects that exist now.

    It holds every thread while it runs, and at TensorFlow's and Gradio's millions of
    objects for most of a second.
    """
    gc.collect()
    gc.freeze()


def _trim_regularly(app: "gr.Blocks") -> None:
    never = threading.Event()
    while not never.wait(SECONDS_BETWEEN_TRIMS) and app.is_running:
        trim_memory()
