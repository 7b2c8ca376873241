"""A study knows its trials by trial, code and data."""

import errno
import json
import os
from pathlib import Path

import pytest

from medattn.study import Study, run_study, study_status
from medattn.study.execute import engines
from medattn.study.execute.scheduler import open_trials
from medattn.study.files import write_json
from medattn.study.plan import data


@pytest.fixture
def engine(monkeypatch):
    """An engine that ends every trial at once, and notes its tasks."""
    given = []

    def end(tasks, **_):
        for task in tasks:
            given.append(task)
            folder = Path(task["folder"]) / task["id"]
            folder.mkdir(parents=True)
            write_json(folder / "config.json", task["trial"])
            outcome = {"state": "failed", "reason": "this is a test"}
            write_json(folder / "failed.json", outcome)
            yield task["id"], {"outcome": outcome}

    monkeypatch.setitem(engines.ENGINES, "test", end)
    return given


@pytest.fixture
def roots(tmp_path):
    """Two folders of images of equal names and sizes."""
    for root in "AB":
        for name in ("left", "right"):
            (tmp_path / root / name).mkdir(parents=True)
            (tmp_path / root / name / "1.png").write_text(root)
    return str(tmp_path / "A"), str(tmp_path / "B")


def study(root):
    return Study("s", datasets="folder", regimes=1.0, analyzers=(), root=root)


def run(root, folder):
    data._hash_folder.cache_clear()
    return run_study(study(root), folder, engine="test", progress=False)


def test_a_study_of_another_folder_is_another_study(engine, roots, tmp_path):
    first, second = (run(root, tmp_path / "runs") for root in roots)
    assert [task["root"] for task in engine] == list(roots)
    assert engine[0]["id"] != engine[1]["id"] and engine[0]["data"]
    assert (first["failed"], first["strangers"]) == (1, 0)
    assert (second["failed"], second["strangers"]) == (1, 1)
    assert second["other_code"] == 1  # the test's config names no code
    run(roots[0], tmp_path / "runs")
    assert len(engine) == 2


def test_the_status_writes_nothing(engine, roots, tmp_path, monkeypatch):
    run(roots[0], tmp_path)
    (folder,) = (tmp_path / "s").glob("folder-*")
    (folder / "failed.json").unlink()
    lease = {"host": "elsewhere", "pid": 1, "started": "1", "released": False}
    write_json(folder / "lease-000001.json", lease)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    for name in ("touch", "mkdir", "write_text", "write_bytes", "unlink", "rename"):
        monkeypatch.setattr(Path, name, refuse)
    for name in ("replace", "utime", "makedirs", "mkdir"):
        monkeypatch.setattr(os, name, refuse)
    assert study_status(study(roots[0]), tmp_path)["running"] == 1


def test_a_study_is_found_where_its_data_are_not(engine, roots, tmp_path):
    run(roots[0], tmp_path)
    record = json.loads((tmp_path / "s" / "study.json").read_text())
    assert record["fingerprints"] == {"folder": engine[0]["data"]}
    for away in ("/nowhere", None):
        assert study_status(study(away), tmp_path)["failed"] == 1
        assert open_trials(study(away), tmp_path) == {}
