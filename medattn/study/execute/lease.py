"""Leases: a trial has one runner at a time, and that of a dead runner is free."""

import os
import socket
import threading
import uuid
from pathlib import Path
from typing import Any, Self

from medattn.study.files import read_json, write_json

HEARTBEAT = 5.0  # seconds between two touches of the file
EXPIRY = 60.0  # seconds without one after which a runner elsewhere counts as dead


class LeaseLost(RuntimeError):
    """Another runner took the trial over because this one seemed dead."""


class Lease:
    """The right to work on a trial, as a numbered file in its folder.

    File n + 1 can be created only when the holder of n released it or is dead: its
    process has ended (on this machine), or its file has not been touched for `EXPIRY`
    seconds (elsewhere). Creating a file that must not exist is atomic, so one of two
    that try at once succeeds.

    Args:
        folder: The trial's.
        path: The file.
    """

    def __init__(self, folder: str | Path, path: Path) -> None:
        self.folder, self.path = Path(folder), path
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._touch, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises `LeaseLost` if another runner holds the trial by now."""
        if _newest(self.folder) != self.path:
            raise LeaseLost(f"{self.folder} was taken over by another runner")

    def release(self) -> None:
        """Makes the trial free again."""
        self._released.set()
        self._thread.join()
        if _newest(self.folder) == self.path:
            write_json(self.path, read_json(self.path) | {"released": True})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _touch(self) -> None:
        while not self._released.wait(HEARTBEAT):
            try:
                os.utime(self.path)
            except OSError:  # the folder is gone: `check` will raise
                return


def take_lease(folder: str | Path) -> Lease | None:
    """Takes a trial, unless a living runner holds it.

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
        # The file must not exist yet. Its content is written afterwards; until then its
        # age alone shows that the holder lives.
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
    if _newest(folder) != path:  # so slow that others took it meanwhile
        path.unlink(missing_ok=True)
        return None
    for old in folder.glob("lease-*.json"):
        if _number(old) < number - 1:
            old.unlink(missing_ok=True)
    return Lease(folder, path)


def lease_holder(folder: str | Path) -> dict[str, Any] | None:
    """Finds who works on a trial now: a dict with host and pid, or None."""
    newest = _newest(Path(folder))
    if newest is None or _is_free(newest):
        return None
    return read_json(newest) or {"host": "?", "pid": 0}


def _newest(folder: Path) -> Path | None:
    return max(folder.glob("lease-*.json"), default=None)


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("lease-"))


def _is_free(path: Path) -> bool:
    lease = read_json(path)
    try:
        age = _file_clock(path.parent) - path.stat().st_mtime
    except FileNotFoundError:
        return False  # a newer holder deleted it
    if lease is None:
        return age > EXPIRY
    if lease["released"]:
        return True
    if lease["host"] == socket.gethostname():
        return _process_start(lease["pid"]) != lease["started"]
    return age > EXPIRY


def _file_clock(folder: Path) -> float:
    """Reads the time from the file system: clocks of two machines may differ."""
    probe = folder / f".clock.{os.getpid()}.{threading.get_ident()}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _process_start(pid: int) -> str | None:
    """Reads when a process started, to recognise a reused pid; None if it is dead."""
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
