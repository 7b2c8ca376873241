"""Damaged files are found, named and set aside, and the trial is done again."""

import json

import numpy as np
import pytest

from medattn.study import (
    Study,
    Trial,
    gather_results,
    promote_trials,
    run_trial,
    study_status,
    trial_id,
    write_report,
)
from medattn.study.damage import find_damage, set_aside_damage
from medattn.study.execute import trial_runner
from medattn.study.execute.trial_state import trial_progress, trial_state
from medattn.study.files import file_sha256, set_aside, write_arrays, write_json

STUDY = Study("s", "micro_resnet", "fundus", 0.1, seeds=(0, 1), analyzers=())
FILES = ("weights.safetensors", "predictions.npz", "history.jsonl", "ids.json")


def finish(folder, *_):
    """Writes the files of a finished trial, the weights last but one."""
    write_arrays(
        folder / "predictions.npz",
        test_labels=np.arange(4) % 2,
        test_probabilities=np.full((4, 2), 0.5),
    )
    (folder / "history.jsonl").write_text('{"step": 4, "loss": 0.5}\n')
    write_json(folder / "ids.json", {"train": {"sha256": "5ha"}})
    (folder / "weights.safetensors").write_bytes(b"weights")
    done = {
        "state": "done",
        "classes": ["healthy", "diseased"],
        "epochs": 2.4,
        "images": {"train": 400, "validation": 50, "test": 1000},
        "positives": 190,
        "test": {"auroc": 0.75},
        "validation": {"auroc": 0.7},
        "sha256": {name: file_sha256(folder / name) for name in FILES},
    }
    write_json(folder / "done.json", done)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The folder of a study with two trials that have ended, and their folders."""
    monkeypatch.setattr(
        trial_runner, "_train", lambda trial, folder, *_: finish(folder)
    )
    for trial in STUDY.trials():
        assert run_trial(trial, tmp_path / "s")["state"] == "done"
    first, second = (tmp_path / "s" / trial_id(t) for t in STUDY.trials())
    return tmp_path, first, second


def empty(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change(path):
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def a_list(path):
    path.write_text("[1, 2]")


def without_keys(path):
    path.write_text('{"state": "done"}')


def remove(path):
    path.unlink()


DAMAGES = [
    *[(name, how) for name in FILES for how in (empty, cut, change, remove)],
    *[("done.json", how) for how in (empty, cut, a_list, without_keys)],
    *[("config.json", how) for how in (empty, cut, a_list, without_keys, remove)],
]


@pytest.mark.parametrize(("name", "how"), DAMAGES)
def test_a_damaged_file_is_named_and_set_aside_and_the_trial_done_again(
    study, capsys, name, how
):
    folder, damaged, whole = study
    before = damaged.joinpath("done.json").read_bytes()
    how(damaged / name)
    content = damaged.joinpath(name).read_bytes() if how is not remove else None

    assert list(find_damage(damaged)) == [name] and not find_damage(whole)
    status = study_status(STUDY, folder)
    assert (status["done"], status["damaged"]) == (1, 1)
    assert name in status["damage"][damaged.name]
    left_out = []
    rows = gather_results(folder / "s", warn=left_out.append)
    assert [row["id"] for row in rows] == [whole.name]
    assert damaged.name in left_out[0] and name in left_out[0]

    assert run_trial(STUDY.trials()[0], folder / "s")["state"] == "done"
    (sentence,) = capsys.readouterr().err.splitlines()
    assert damaged.name in sentence and name in sentence and "done again" in sentence
    assert not find_damage(damaged)
    if content is not None:
        assert (damaged / f"{name}.damaged").read_bytes() == content
    if name != "done.json":
        assert (damaged / "done.json.damaged").read_bytes() == before
    assert study_status(STUDY, folder)["done"] == 2
    assert len(gather_results(folder / "s")) == 2


def test_a_damaged_failure_is_tried_again(study):
    folder, failed, _ = study
    (failed / "failed.json").write_text('{"state": "fai')
    assert study_status(STUDY, folder)["damaged"] == 1
    assert run_trial(STUDY.trials()[0], folder / "s")["state"] == "done"
    assert (failed / "failed.json.damaged").exists()


def test_damaged_maps_are_scored_again_without_training(study, monkeypatch, capsys):
    _, folder, _ = study
    maps = folder / "maps-lrp.epsilon.npz"
    write_arrays(maps, relevance_mass=np.arange(4.0))
    assert not find_damage(folder)
    cut(maps)
    assert find_damage(folder) == {maps.name: "cannot be read"}
    set_aside_damage(folder)
    assert "its maps are scored again" in capsys.readouterr().err
    assert (folder / "done.json").exists() and not maps.exists()


def test_with_the_weights_go_the_maps_that_speak_of_them(study):
    _, folder, _ = study
    write_arrays(folder / "maps-lrp.epsilon.npz", relevance_mass=np.arange(4.0))
    empty(folder / "weights.safetensors")
    set_aside_damage(folder, warn=str)
    assert {p.name for p in folder.glob("*.damaged")} == {
        "done.json.damaged",
        "maps-lrp.epsilon.npz.damaged",
        "weights.safetensors.damaged",
    }


def test_the_history_of_an_unfinished_trial_may_be_damaged(study):
    _, folder, _ = study
    (folder / "done.json").unlink()
    assert trial_state(folder) == "stopped"
    (folder / "history.jsonl").write_text('{"step": 4}\n{"st')
    assert trial_state(folder) == "damaged" and trial_progress(folder) == {}
    (folder / "history.jsonl").write_text("[]\n")
    assert trial_state(folder) == "damaged" and trial_progress(folder) == {}


def test_files_that_are_set_aside_replace_none(tmp_path):
    for number in range(3):
        (tmp_path / "a").write_text(str(number))
        set_aside(tmp_path / "a")
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"a.damaged": "0", "a.damaged.2": "1", "a.damaged.3": "2"}


def test_a_report_names_what_it_leaves_out_and_nothing_damaged_is_shipped(study):
    folder, damaged, whole = study
    cut(damaged / "predictions.npz")
    _, markdown = write_report(folder / "report.html", folder / "s")
    text = markdown.read_text()
    assert "Damaged trials" in text and damaged.name in text
    with pytest.raises(ValueError, match="Only whole results.*predictions.npz"):
        promote_trials(folder / "s", zoo=folder / "zoo", results=folder / "results")
    assert not (folder / "results").exists()


def test_a_file_is_hashed_again_only_when_it_changed(study, monkeypatch):
    from medattn.study import damage

    _, folder, _ = study
    hashed = []

    def count(path):
        hashed.append(path.name)
        return file_sha256(path)

    monkeypatch.setattr(damage, "file_sha256", count)
    for _ in range(3):
        assert not find_damage(folder)
    assert sorted(hashed) == sorted(FILES)
    change(folder / "ids.json")
    assert list(find_damage(folder)) == ["ids.json"]
    assert len(hashed) == 5


@pytest.mark.slow
def test_a_trial_that_is_done_again_has_the_same_bits(tmp_path):
    trial = Trial("micro_resnet", "shapes", size=32, steps=4, rounds=2, batch_size=16)
    run_trial(trial, tmp_path)
    folder = tmp_path / trial_id(trial)
    before = {name: (folder / name).read_bytes() for name in (*FILES, "done.json")}
    assert len(json.loads(before["done.json"])["data_sha256"]) == 64
    empty(folder / "weights.safetensors")
    run_trial(trial, tmp_path)
    after = {name: (folder / name).read_bytes() for name in (*FILES, "done.json")}
    assert after == before
