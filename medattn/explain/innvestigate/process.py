"""The process that runs iNNvestigate: start, requests, end."""

import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from medattn.explain.innvestigate import worker

START_TIMEOUT = 300  # seconds that the process may take to import TensorFlow


class Refusal(ValueError):
    """An error that iNNvestigate itself raised."""


class WorkerProcess:
    """The process that runs `worker.py`, and its messages."""

    def __init__(self) -> None:
        self.unused_networks: list[int] = []  # numbers that no analyzer needs any more
        self._lock = threading.Lock()
        self._stderr = tempfile.TemporaryFile()
        environment = os.environ | {
            "TF_USE_LEGACY_KERAS": "1",
            "CUDA_VISIBLE_DEVICES": "-1",  # leaves the GPU's memory to the caller
        }
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        self._process = subprocess.Popen(
            # -P: the folder of the file must not shadow modules of other packages.
            [sys.executable, "-P", str(Path(worker.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment,
        )
        self._inbox: queue.Queue[worker.Message | None] = queue.Queue()
        listener = threading.Thread(
            target=_listen, args=(self._process.stdout, self._inbox), daemon=True
        )
        listener.start()
        self.end = weakref.finalize(
            self, _end, self._process, listener, self._stderr
        )  # called at the latest when the calling process ends
        with self._end_if_interrupted():
            self._reply(START_TIMEOUT, "importing TensorFlow")

    @property
    def pid(self) -> int:
        """The process's number in the operating system."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process runs."""
        return self.end.alive and self._process.poll() is None

    def request(
        self, header: worker.Header, arrays: Mapping[str, Any], time_limit: float
    ) -> dict[str, np.ndarray]:
        """Sends a request and waits for the answer.

        Args:
            header: What to do; see `worker.serve`.
            arrays: Arrays by name.
            time_limit: Seconds.

        Returns:
            The arrays of the answer.
        """
        with self._lock, self._end_if_interrupted():
            unused = [
                self.unused_networks.pop() for _ in range(len(self.unused_networks))
            ]
            assert self._process.stdin is not None
            try:
                worker.send(self._process.stdin, header | {"forget": unused}, arrays)
            except OSError:
                pass  # the missing reply is reported below
            return self._reply(time_limit, header["do"])

    def _reply(self, time_limit: float, task: str) -> dict[str, np.ndarray]:
        try:
            message = self._inbox.get(timeout=time_limit)
        except queue.Empty:
            raise TimeoutError(
                f"iNNvestigate took too long ({task}). Expected an answer within "
                f"time_limit={time_limit:g} seconds. Received: none, so it was stopped"
            ) from None
        if message is None:
            self._stderr.seek(0)
            text = self._stderr.read().decode(errors="replace").strip()
            lines = text.splitlines()
            raise ChildProcessError(
                f"iNNvestigate's process ended while {task}. Expected an answer. "
                f"Received: {lines[-1] if lines else 'nothing'}"
            )
        header, arrays = message
        if "error" in header:
            raise Refusal(
                "iNNvestigate refuses. Expected a network, options and images that "
                f"it supports. Received: {header['error']}"
            )
        return arrays

    @contextlib.contextmanager
    def _end_if_interrupted(self) -> Iterator[None]:
        """Ends the process if a request is interrupted, so that no answer is late."""
        try:
            yield
        except Refusal:
            raise
        except BaseException:
            self.end()
            raise


def shared_process() -> WorkerProcess:
    """Returns the process that all analyzers share; starts it if there is none."""
    global _shared
    with _starting:
        process = _shared() if _shared is not None else None
        if process is None or not process.alive():
            process = WorkerProcess()
            _shared = weakref.ref(process)
        return process


_starting = threading.Lock()
_shared: weakref.ref[WorkerProcess] | None = None


def _listen(stream: IO[bytes], inbox: "queue.Queue[worker.Message | None]") -> None:
    """Passes on the answers of the process; None when it has ended."""
    try:
        while message := worker.receive(stream):
            inbox.put(message)
    except (OSError, ValueError):
        pass  # ended in the middle of an answer
    inbox.put(None)


def _end(process: Any, listener: threading.Thread, stderr: Any) -> None:
    """Ends the process, and closes its pipes."""
    try:
        process.stdin.close()
    except OSError:
        pass
    process.kill()
    process.wait()
    listener.join(5)
    process.stdout.close()
    stderr.close()
