"""What goes wrong is said to the host in one line, and to a visitor not at all."""

import logging
import threading
import time
import traceback
from collections.abc import Callable

LINES_A_MINUTE = 30
LOGGER = logging.getLogger("medattn_app")


class FaultLog:
    """Logs faults: the kind of error and where, never what a visitor sent.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._lock = clock, threading.Lock()
        self._since, self._lines, self._silent = 0.0, 0, 0

    def report(self, error: BaseException, what: str = "A call failed") -> None:
        """Logs one line; beyond thirty a minute, only their number.

        Args:
            error: What was raised. Its message is not logged: it may hold what came.
            what: What failed.
        """
        with self._lock:
            now = self._clock()
            if now - self._since >= 60 or not self._lines:
                missed, self._silent = self._silent, 0
                self._since, self._lines = now, 0
            else:
                missed = 0
            self._lines += 1
            if self._lines > LINES_A_MINUTE:
                self._silent += 1
                return
        if missed:
            LOGGER.error("%d more faults in the minute before", missed)
        LOGGER.error("%s: %s at %s", what, type(error).__name__, _place(error))


FAULTS = FaultLog()


def raised_by_us(error: BaseException) -> bool:
    """Whether the app itself raised an error, and no library below it."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and "medattn_app" in frames[-1].filename


def _place(error: BaseException) -> str:
    """Names the line of ours that was reached last, or else the last of all."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "an unknown line"
    ours = [frame for frame in frames if "medattn" in frame.filename]
    frame = (ours or frames)[-1]
    file = "/".join(frame.filename.replace("\\", "/").split("/")[-3:])
    return f"{file}:{frame.lineno}"
