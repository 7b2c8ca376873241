"""Where trials run: on this machine, on a Ray cluster, or through SLURM.

An engine is a generator. It takes tasks (see `fork_server.work`) and yields
`(id, answer)` as each ends, and `None` about once a second in between, so that the
scheduler can draw its bar. Only faults of the machine are retried.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any, TypeAlias

from medattn.study.execute.fork_server import work

TICK = 1.0  # seconds

Task: TypeAlias = dict[str, Any]
Answer: TypeAlias = dict[str, Any]
Events: TypeAlias = Generator[tuple[str, Answer] | None, None, None]


def local(
    tasks: Iterable[Task],
    *,
    workers: int = 0,
    threads: int = 1,
    retries: int = 2,
    **_: Any,
) -> Events:
    """Runs one process a trial on this machine, as many at once as there are cores.

    Args:
        tasks: Dicts, see `fork_server.work`.
        workers: Trials at once; 0 takes `cores // threads`.
        threads: Of each process.
        retries: How often a trial is retried whose process was killed.

    Yields:
        `(id, answer)`, or None.
    """
    workers = workers or max(1, available_cores() // threads)
    waiting: list[Task] = list(tasks)[::-1]
    tries: dict[str, int] = {}
    answers: queue.Queue[tuple[int, Answer | None]] = queue.Queue()
    servers: dict[int, _Server] = {}
    can_fork = hasattr(os, "fork") and _backend() == "tensorflow"
    try:
        while waiting or any(server.tasks for server in servers.values()):
            busy = sum(len(server.tasks) for server in servers.values())
            while waiting and busy < workers:
                if not servers or not can_fork:
                    server = _Server(answers, one=not can_fork)
                    servers[server.number] = server
                else:
                    server = next(iter(servers.values()))
                server.give(waiting.pop())
                busy += 1
            try:
                number, answer = answers.get(timeout=TICK)
            except queue.Empty:
                yield None
                continue
            server = servers[number]
            if answer is None:  # the server has ended, with all that it worked on
                servers.pop(number).end()
                killed: Answer = {"fault": "its server was killed"}
                results = [(task, killed) for task in server.tasks.values()]
            else:
                results = [(server.tasks.pop(answer["id"]), answer)]
            for task, result in results:
                tries[task["id"]] = tries.get(task["id"], 0) + 1
                retry = "fault" in result and not result.get("full")
                if retry and tries[task["id"]] <= retries:
                    waiting.append(task)
                else:
                    yield task["id"], result
    finally:
        for server in servers.values():
            server.end()


class _Server:
    """A `fork_server` and the tasks that it works on."""

    count = 0

    def __init__(self, answers: "queue.Queue[Any]", *, one: bool) -> None:
        _Server.count += 1
        self.number = _Server.count
        self.tasks: dict[str, Task] = {}
        command = [sys.executable, "-m", "medattn.study.execute.fork_server"]
        self.process = subprocess.Popen(
            command + ["--one"] * one,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C reaches the scheduler alone, which then ends its trials cleanly.
            start_new_session=True,
        )
        threading.Thread(target=self._listen, args=(answers,), daemon=True).start()

    def give(self, task: Task) -> None:
        assert self.process.stdin is not None
        self.tasks[task["id"]] = task
        try:
            self.process.stdin.write(json.dumps(task) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # `_listen` reports the server's end

    def end(self) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()

    def _listen(self, answers: "queue.Queue[Any]") -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                answers.put((self.number, json.loads(line)))
        answers.put((self.number, None))


def ray(
    tasks: Iterable[Task],
    *,
    threads: int = 1,
    retries: int = 2,
    address: str | None = None,
    **_: Any,
) -> Events:
    """Runs one Ray task, and so one process, a trial; all nodes share the folder.

    Args:
        tasks: Dicts, see `fork_server.work`.
        threads: Cores of a trial.
        retries: How often a trial is retried whose node or process died.
        address: Of a cluster, `"auto"` or `"ray://host:10001"` for instance; a new one
            on this machine unless given.

    Yields:
        `(id, answer)`, or None.

    Raises:
        ValueError: If Ray is not installed.
    """
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
    except ImportError:
        raise ValueError(
            "Ray is not installed. Expected `pip install 'medattn[ray]'`, or "
            "--engine local. Received: engine='ray'"
        ) from None
    started = not ray.is_initialized()
    if started:
        ray.init(address=address or None, log_to_driver=False)

    # max_calls=1 gives every trial a fresh process and frees its accelerator.
    options: dict[str, Any] = {"num_cpus": threads, "max_calls": 1}
    options |= {"max_retries": retries, "retry_exceptions": [OSError]}

    @ray.remote(**options)
    def run(task: Task) -> Answer:
        answer = work(task)
        if "fault" in answer and not answer["full"]:
            raise OSError(answer["fault"])
        return answer

    try:
        running = {run.remote(task): task["id"] for task in tasks}
        while running:
            ended = ray.wait(list(running), timeout=TICK)[0]
            if not ended:
                yield None
            for reference in ended:
                name = running.pop(reference)
                try:
                    yield name, ray.get(reference)
                except ray.exceptions.RayError as error:
                    yield name, {"fault": str(error).strip().splitlines()[-1]}
    finally:
        if started:
            ray.shutdown()


def submitit(
    tasks: Iterable[Task],
    *,
    folder: str | Path,
    threads: int = 1,
    cluster: str | None = None,
    slurm_partition: str | None = None,
    hours: float = 24,
    **_: Any,
) -> Events:
    """Submits one SLURM job a trial, as an array.

    Args:
        tasks: Dicts, see `fork_server.work`.
        folder: Where submitit keeps its logs; shared by all nodes.
        threads: Cores of a trial.
        cluster: `"slurm"`, or `"local"` to try it without SLURM; detected unless
            given.
        slurm_partition: Where to queue.
        hours: Limit of one job; the same study started again continues.

    Yields:
        `(id, answer)`, or None.

    Raises:
        ValueError: If submitit is not installed.
    """
    try:
        import submitit
    except ImportError:
        raise ValueError(
            "submitit is not installed. Expected `pip install 'medattn[submitit]'`, or "
            "--engine local. Received: engine='submitit'"
        ) from None
    import time

    executor = submitit.AutoExecutor(Path(folder) / "submitit", cluster=cluster)
    options: dict[str, Any] = {
        "timeout_min": round(60 * hours),
        "cpus_per_task": threads,
    }
    if slurm_partition:
        options["slurm_partition"] = slurm_partition
    executor.update_parameters(**options)
    tasks = list(tasks)
    jobs = executor.map_array(work, tasks)
    running = {task["id"]: job for task, job in zip(tasks, jobs, strict=True)}
    try:
        while running:
            ended = [name for name, job in running.items() if job.done()]
            for name in ended:
                job = running.pop(name)
                try:
                    yield name, job.result()
                except submitit.core.utils.UncompletedJobError as error:
                    yield name, {"fault": str(error).strip().splitlines()[0]}
            if not ended:
                time.sleep(TICK)
                yield None
    finally:
        for job in running.values():
            job.cancel()


ENGINES: dict[str, Callable[..., Events]] = {
    "local": local,
    "ray": ray,
    "submitit": submitit,
}


def available_cores() -> int:
    """Counts the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _backend() -> str:
    """Finds the name of the Keras backend without importing it."""
    named = os.environ.get("KERAS_BACKEND")
    if named:
        return named
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        return json.loads((home / "keras.json").read_text()).get(
            "backend", "tensorflow"
        )
    except (OSError, ValueError):
        return "tensorflow"
