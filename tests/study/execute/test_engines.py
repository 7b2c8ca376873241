"""Engines: each ends every trial once, whatever process or node is killed."""

import json
import time
from collections import Counter

import pytest

from medattn.study import Study, run_study, study_status
from medattn.study.execute import engines
from medattn.study.execute.scheduler import StudyStopped

BUDGET = dict(size=32, steps=24, rounds=8, batch_size=8)


def tiny(name, seeds=(0,), **changes):
    budget = BUDGET | changes
    return Study(name, "micro_deit", "shapes", 1.0, seeds=seeds, budget=budget)


@pytest.mark.slow
def test_ray_ends_every_trial_once_though_a_node_is_killed(tmp_path, monkeypatch):
    """Three nodes; one is removed with all its processes while trials run on it."""
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False},
    )
    doomed = cluster.add_node(num_cpus=1)
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        # Another node takes over what the first one leaves.
        study = tiny("s", seeds=(0, 1, 2), steps=400, rounds=40)
        killed, ends = [], Counter()
        trained = engines.ray

        def watched(tasks, **options):
            for event in trained(tasks, **options):
                started = list((tmp_path / "s").glob("*/history.jsonl"))
                if not killed and len(started) >= 2:
                    cluster.remove_node(doomed, allow_graceful=False)
                    killed.append(cluster.add_node(num_cpus=1))
                if event is not None:
                    ends[event[0]] += 1
                yield event

        monkeypatch.setitem(engines.ENGINES, "ray", watched)
        status = run_study(
            study, tmp_path, engine="ray", address=cluster.address, progress=False
        )
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert killed, "the study was over before the node was killed"
    assert status["faults"] == {} and status["done"] == status["trials"] == 3
    assert set(ends.values()) == {1} and len(ends) == 3
    # A lease taken a second time is the trial that the dead node left.
    leases = [
        int(p.stem.split("-")[1]) for p in (tmp_path / "s").glob("*/lease-*.json")
    ]
    assert max(leases) >= 2
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "s").glob("*/done.json")}
    again = run_study(study, tmp_path, progress=False)
    assert again["done"] == 3
    assert before == {p: p.stat().st_mtime_ns for p in before}


@pytest.mark.slow
def test_submitit_ends_every_trial(tmp_path):
    pytest.importorskip("submitit")
    study = tiny("s", steps=4, rounds=2)
    status = run_study(
        study, tmp_path, engine="submitit", cluster="local", progress=False
    )
    assert status["done"] == 1 and status["faults"] == {}


@pytest.mark.slow
def test_a_failed_trial_is_reported_and_the_others_continue(tmp_path, capsys):
    study = Study(
        "s",
        ("micro_deit", "micro_resnet"),
        "shapes",
        1.0,
        budget=BUDGET | {"steps": 4, "rounds": 2},
        by_model={"micro_resnet": {"learning_rate": 1e30}},
    )
    status = run_study(study, tmp_path, workers=1)
    assert (status["done"], status["failed"]) == (1, 1)
    assert "diverged" in next(iter(status["failures"].values()))
    printed = capsys.readouterr().err
    assert "test AUROC" in printed and "The training diverged" in printed


def fake(events):
    def engine(tasks, **_):
        yield from events(list(tasks))

    return engine


def test_a_full_disk_stops_the_study_and_says_how_to_continue(tmp_path, monkeypatch):
    full = {"fault": "OSError: No space left on device", "full": True}
    monkeypatch.setitem(
        engines.ENGINES, "local", fake(lambda tasks: [(tasks[0]["id"], full)])
    )
    with pytest.raises(StudyStopped, match="disk is full.*continues"):
        run_study(tiny("s"), tmp_path, progress=False)


def test_a_fault_is_reported_and_the_trial_stays_waiting(tmp_path, monkeypatch):
    broken = {"fault": "its process ended with code -9", "full": False}
    monkeypatch.setitem(
        engines.ENGINES, "local", fake(lambda tasks: [(tasks[0]["id"], broken)])
    )
    status = run_study(tiny("s"), tmp_path, progress=False)
    assert list(status["faults"].values()) == ["its process ended with code -9"]
    assert status["waiting"] == 1 and status["done"] == 0


def test_the_local_engine_ends_its_processes_on_ctrl_c(tmp_path):
    study = tiny("s")
    tasks = [{"id": "x", "trial": {}, "folder": str(tmp_path), "threads": 1}]
    servers = []
    original = engines._Server

    class Recorded(original):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            servers.append(self)

    engines._Server = Recorded
    try:
        events = engines.local(tasks, workers=1)
        next(events)  # a second passes
        with pytest.raises(KeyboardInterrupt):
            events.throw(KeyboardInterrupt)
    finally:
        engines._Server = original
    assert len(servers) == 1 and servers[0].process.poll() is not None
    assert study_status(study, tmp_path)["trials"] == 1


@pytest.mark.slow
def test_a_process_that_cannot_fork_ends_with_its_scheduler_too(tmp_path):
    """As on JAX and torch: its trial takes an hour, and its input ends at once."""
    trial = dict(model="micro_deit", dataset="shapes", steps=500_000, rounds=50_000)
    task = {
        "id": "x", "trial": trial | {"size": 32}, "folder": str(tmp_path),
        "analyzers": [], "root": None, "weights": None, "threads": 1,
    }  # fmt: skip
    answers = engines.queue.Queue()
    server = engines._Server(answers, one=True)
    server.give(task)
    deadline = time.monotonic() + 200
    while not list(tmp_path.glob("*/history.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(tmp_path.glob("*/history.jsonl"))
    server.end()
    assert server.process.returncode == 1
    assert answers.get(timeout=10) == (server.number, None)


def test_unknown_engines_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Did you mean local"):
        run_study(tiny("s"), tmp_path, engine="locl")


def test_trials_of_another_version_of_the_code_are_counted(tmp_path):
    study = tiny("s")
    folder = tmp_path / "s" / "shapes-micro_deit-100pct-seed0-0badc0de"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"code": "of another version"}))
    status = study_status(study, tmp_path)
    assert (status["strangers"], status["other_code"]) == (1, 1)
    assert status["waiting"] == 1
