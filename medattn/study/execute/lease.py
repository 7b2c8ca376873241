"""Leases: one runner a trial, and a dead runner's trial for the next one."""

import os
import re
import socket
import threading
import uuid
from pathlib import Path

from medattn.study.files import read_json, write_json

BEAT = 5.0  # seconds between two signs of life
EXPIRY = 60.0  # seconds without one after which a runner elsewhere counts as dead


class LeaseLost(RuntimeError):
    """Another runner took the trial over, because this one seemed dead."""


class Lease:
    """The right to work on a trial, as a numbered file in its folder.

    Number n + 1 can be made only when the holder of n gave it back or is dead: its
    process is gone (on this machine), or its file has not been touched for `EXPIRY`
    seconds (elsewhere). Making a file that must not exist yet is atomic, so of two who
    try, one wins.

    Args:
        folder: The trial's.

    Attributes:
        path: The file.
    """

    def __init__(self, folder, path):
        self.folder, self.path = Path(folder), path
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def check(self):
        """Raises `LeaseLost` if somebody else holds the trial by now."""
        if _newest(self.folder) != self.path:
            raise LeaseLost(f"{self.folder} was taken over by another runner")

    def release(self):
        """Gives the trial back."""
        self._over.set()
        self._thread.join()
        if _newest(self.folder) == self.path:
            write_json(self.path, read_json(self.path) | {"released": True})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()

    def _beat(self):
        while not self._over.wait(BEAT):
            try:
                os.utime(self.path)
            except OSError:  # the folder is gone: `check` will say so
                return


def take_lease(folder):
    """Takes a trial, unless somebody alive holds it.

    Args:
        folder: The trial's; it exists.

    Returns:
        A `Lease`, or None.
    """
    folder = Path(folder)
    newest = _newest(folder)
    if newest is not None and not _is_free(newest):
        return None
    number = 1 if newest is None else _number(newest) + 1
    path = folder / f"lease-{number:06d}.json"
    try:
        # The file must not be there yet. What it says is written afterwards; until
        # then its age alone says that the holder lives.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return None
    write_json(
        path,
        {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": _process_start(os.getpid()),
            "token": uuid.uuid4().hex,
            "released": False,
        },
    )
    if _newest(folder) != path:  # so slow that others came and went meanwhile
        path.unlink(missing_ok=True)
        return None
    for old in folder.glob("lease-*.json"):
        if _number(old) < number - 1:
            old.unlink(missing_ok=True)
    return Lease(folder, path)


def lease_holder(folder):
    """Names who works on a trial now: a dict with host and pid, or None."""
    newest = _newest(Path(folder))
    if newest is None or _is_free(newest):
        return None
    return read_json(newest) or {"host": "?", "pid": 0}


def _newest(folder):
    return max(folder.glob("lease-*.json"), default=None)


def _number(path):
    return int(re.fullmatch(r"lease-(\d+)", path.stem)[1])


def _is_free(path):
    lease = read_json(path)
    try:
        age = _file_clock(path.parent) - path.stat().st_mtime
    except FileNotFoundError:
        return False  # somebody newer swept it away
    if lease is None:
        return age > EXPIRY
    if lease["released"]:
        return True
    if lease["host"] == socket.gethostname():
        return _process_start(lease["pid"]) != lease["started"]
    return age > EXPIRY


def _file_clock(folder):
    """Asks the file system for the time: clocks of two machines may differ."""
    probe = folder / f".clock.{os.getpid()}.{threading.get_ident()}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _process_start(pid):
    """Says when a process started, so that a number used again is seen; or None."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
    try:  # no /proc: macOS
        os.kill(pid, 0)
    except (ProcessLookupError, OSError):
        return None
    return "running"
