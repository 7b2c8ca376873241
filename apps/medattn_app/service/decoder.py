"""Files of visitors are decoded in a process of its own, within limits."""

import atexit
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

from medattn_app.domain.cases import LARGE, SIZE
from medattn_app.service.decoder_child import ARRAYS, LENGTH, SENTENCE

SECONDS = 3  # of processor time, for one file
WALL_SECONDS = 20  # a busy machine gives a process little of a second
MEGABYTES = 600  # of memory, for one file
AT_ONCE = 2  # files
CHILD = Path(__file__).with_name("decoder_child.py")
CAN_FORK = hasattr(os, "fork") and hasattr(socket, "AF_UNIX")
FAILED = (
    "The file takes too long to decode, or too much memory. Expected an image of fewer "
    "pixels, or another format."
)
Arrays = tuple[np.ndarray, np.ndarray]


class Decoder:
    """Decodes a visitor's file into what the networks see and what the page shows.

    The process that does it starts at the first file, or at `start`.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._folder: str | None = None
        self._starting, self._slots = threading.Lock(), threading.Semaphore(AT_ONCE)

    def decode(self, content: bytes) -> Arrays:
        """Decodes one file.

        Args:
            content: The file's bytes.

        Returns:
            `(pixels, picture)`: `(64, 64, 3)`, and `(side, side, 3)` with a side of at
            most 384, both float32 in [0, 1].

        Raises:
            ValueError: In one plain sentence that calls the file "The file".
        """
        with self._slots:
            said = self._ask(content) if CAN_FORK else _ask_once(content)
        if said[:1] == SENTENCE:
            raise ValueError(said[1:].decode(errors="replace"))
        if said[:1] != ARRAYS:
            raise ValueError(FAILED)
        stream = io.BytesIO(said[1:])
        pixels, picture = (np.load(stream, allow_pickle=False) for _ in range(2))
        return pixels, picture

    def start(self) -> str:
        """Starts the process unless it runs; returns the address it listens on."""
        with self._starting:
            if self._process is None or self._process.poll() is not None:
                self._clear()
                self._folder = tempfile.mkdtemp(prefix="medattn-decoder-")
                address = str(Path(self._folder) / "socket")
                self._process = subprocess.Popen(
                    _command(address),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,  # decoders write about the file
                    env=_environment(),
                    text=True,
                )
                atexit.register(self.close)
                assert self._process.stdout is not None
                self._process.stdout.readline()  # it is ready
            return str(Path(str(self._folder)) / "socket")

    def close(self) -> None:
        """Ends the process."""
        with self._starting:
            self._clear()

    def _clear(self) -> None:
        if self._process is not None:
            assert self._process.stdin and self._process.stdout
            self._process.stdin.close()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _ask(self, content: bytes) -> bytes:
        address = self.start()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(WALL_SECONDS)
            try:
                connection.connect(address)
                connection.sendall(LENGTH.pack(len(content)) + content)
                parts = []
                while part := connection.recv(1 << 20):
                    parts.append(part)
            except OSError:  # the child was ended, or is too late
                return b""
        return b"".join(parts)


def _ask_once(content: bytes) -> bytes:
    """Decodes in a process for this file alone, where there is no fork."""
    try:
        return subprocess.run(
            _command("-"),
            input=content,
            capture_output=True,
            env=_environment(),
            timeout=WALL_SECONDS,
        ).stdout
    except subprocess.TimeoutExpired:
        return b""


def _command(address: str) -> list[str]:
    numbers = SIZE, LARGE, SECONDS, MEGABYTES * 10**6
    return [sys.executable, "-P", str(CHILD), address, *map(str, numbers)]


def _environment() -> dict[str, str]:
    path = os.pathsep.join(part for part in sys.path if part)
    # One thread: a process with more of them must not be forked.
    return os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
