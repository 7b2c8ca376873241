"""The folder of a server's life: made for it alone, and gone however it ends."""

import atexit
import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

PREFIX = "medattn-app-"
LOCK = ".lock"
A_DAY = 86_400  # seconds
ENDING = ("SIGTERM", "SIGHUP")  # end as Ctrl-C does


def make_private_folder() -> str:
    """Makes a folder for what visitors send, of this process only.

    It is gone when the process ends. What earlier processes left that were killed is
    deleted now: nobody holds the lock of theirs.
    """
    sweep_stale_folders()
    folder = tempfile.mkdtemp(prefix=PREFIX)
    lock = FileLock(Path(folder) / LOCK)
    lock.acquire()
    uploads = Path(folder) / "uploads"
    uploads.mkdir()
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)

    def remove() -> None:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return str(uploads)


def sweep_stale_folders() -> list[str]:
    """Deletes folders of processes that were killed; returns their names."""
    swept = []
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        lock = FileLock(folder / LOCK, timeout=0)
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            if not (folder / LOCK).is_file():  # it is being made, or has none
                if time.time() - folder.stat().st_mtime < A_DAY:
                    continue
            with lock:
                shutil.rmtree(folder, ignore_errors=True)
            swept.append(folder.name)
        except (Timeout, OSError, AttributeError):  # in use, or not ours
            continue
    return swept


def end_as_ctrl_c_does() -> None:
    """Lets the signals that end a service end it as Ctrl-C does, with a clean-up."""
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may say so

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for name in ENDING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)
