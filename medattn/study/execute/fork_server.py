"""A process that has TensorFlow loaded and forks one child a trial.

TensorFlow takes seconds to import and a forked child has it at once, as long as the
parent has never run an operation (its threads would not survive the fork). So each
trial has a process of its own that does not depend on the trials before.

The server reads one JSON object a line, a task, and writes one a line when a child
ends: the answer of `work`. When its input ends, the scheduler has ended, and the server
ends its children. With `--one` it works in its own process, for systems and backends
that cannot fork, and ends with its input likewise.
"""

import contextlib
import errno
import json
import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, TextIO, TypeAlias

Task: TypeAlias = dict[str, Any]
Children: TypeAlias = dict[int, tuple[str, int]]  # pid: (id of the task, its pipe)


def main() -> None:
    """Serves until the input ends."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the libraries print is no answer
    _import_libraries()
    if "--one" in sys.argv:
        task = json.loads(sys.stdin.readline())
        threading.Thread(target=_follow_input, daemon=True).start()
        print(json.dumps({"id": task["id"]} | work(task)), file=answers)
        return
    _serve(answers)


def _import_libraries() -> None:
    """Imports what every trial needs, without running an operation."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.summary.scalar  # noqa: B018  (loads TensorBoard's part)
    import scipy.stats  # noqa: F401
    import sklearn.metrics  # noqa: F401

    from medattn.study.execute import trackers, train  # noqa: F401


def _serve(answers: TextIO) -> None:
    """Forks a child for every task and writes the answers, until the input ends."""
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the scheduler decides
    children: Children = {}
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(wake, selectors.EVENT_READ)
    rest = b""
    while True:
        for key, _ in selector.select(timeout=1.0):
            content = os.read(key.fd, 65536)
            if key.fd == wake:
                continue
            if not content:
                _end(children)
                return
            *lines, rest = (rest + content).split(b"\n")
            for line in lines:
                task = json.loads(line)
                _load_synthetic(task)
                pid, reader = _fork(task)
                children[pid] = task["id"], reader
        _collect(children, answers)


def _collect(children: Children, answers: TextIO) -> None:
    """Writes the answers of the children that have ended."""
    for pid in list(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended:
            continue
        name, reader = children.pop(pid)
        with os.fdopen(reader) as pipe:
            text = pipe.read()
        answer = {"id": name}
        if text:
            answer |= json.loads(text)
        else:
            code = os.waitstatus_to_exitcode(status)
            answer["fault"] = f"its process ended with code {code}"
        print(json.dumps(answer), file=answers)


def _fork(task: Task) -> tuple[int, int]:
    """Starts a child on a task; its answer is short enough to wait in the pipe."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    code = 0
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(0)
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
        answer = work(task)
        os.write(writer, json.dumps(answer).encode())
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    finally:
        sys.stderr.flush()
        os._exit(code)


def work(task: Task) -> dict[str, Any]:
    """Runs one task in this process.

    Args:
        task: A dict: `trial` (of `asdict`), `folder`, `analyzers`, `root`, `weights`,
            `threads`.

    Returns:
        `{"outcome": ...}`; `{"fault": reason, "full": bool}` if the machine and not
        the trial is at fault, so that a retry may help; or `{"error": reason}`.
    """
    from medattn.study.execute.lease import LeaseLost
    from medattn.study.execute.trial_runner import limit_threads, run_trial
    from medattn.study.plan.trial import read_trial

    limit_threads(task["threads"])
    options = {key: task[key] for key in ("analyzers", "root", "weights", "threads")}
    try:
        outcome = run_trial(read_trial(task["trial"]), task["folder"], **options)
    except (OSError, LeaseLost, MemoryError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        return {"fault": f"{type(error).__name__}: {error}", "full": full}
    except Exception as error:  # a fault of the code: reported, not retried
        import traceback

        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}
    return {"outcome": outcome}


def _load_synthetic(task: Task) -> None:
    """Makes a synthetic data set here, so that the children find it in memory."""
    from medattn.study.execute.splits import load_splits
    from medattn.study.plan.trial import pretraining, read_trial

    trial = read_trial(task["trial"])
    for one in (trial, pretraining(trial)):
        if one is not None and task["root"] is None:
            with contextlib.suppress(ValueError):  # the child reports it
                load_splits(one)


def _follow(parent: int) -> None:
    """Ends the child when the server has ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _follow_input() -> None:
    """Ends this process when its input does: the scheduler has ended."""
    while os.read(0, 4096):
        pass
    os._exit(1)


def _end(children: Iterable[int]) -> None:
    """Ends the children, given by pid."""
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    for pid in children:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
