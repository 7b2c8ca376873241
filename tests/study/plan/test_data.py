"""The fingerprint of the files of a data set."""

import os

import pytest

from medattn.study import Study
from medattn.study.plan import data
from medattn.study.plan.data import (
    data_fingerprint,
    identify_trials,
    study_fingerprints,
)


@pytest.fixture
def root(tmp_path):
    """Two classes with an image each, and a table."""
    for name in ("left", "right"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "1.png").write_bytes(name.encode())
    (tmp_path / "set" / "labels.csv").write_text("path,label\n")
    return tmp_path / "set"


def fingerprint(root):
    data._hash_folder.cache_clear()
    return data_fingerprint("folder", root)


def test_the_same_files_elsewhere_are_the_same_data(root, tmp_path):
    before = fingerprint(root)
    os.utime(root / "left" / "1.png", (1, 1))
    root.rename(tmp_path / "moved")
    assert fingerprint(tmp_path / "moved") == before
    (tmp_path / "link").symlink_to(tmp_path / "moved")
    assert fingerprint(tmp_path / "link") == before


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "left" / "2.png").write_bytes(b"x"),
        lambda root: (root / "left" / "1.png").rename(root / "right" / "2.png"),
        lambda root: (root / "labels.csv").write_text("path,klass\n"),
        lambda root: (root / "left" / "1.png").write_bytes(b"tfel"),
        lambda root: (root / "left" / "1.png").unlink(),
    ],
)
def test_other_names_tables_or_pixels_are_other_data(root, change):
    before = fingerprint(root)
    change(root)
    assert fingerprint(root) != before


def test_of_a_large_set_names_sizes_and_tables_count(root, monkeypatch):
    monkeypatch.setattr(data, "SMALL", 10)
    before = fingerprint(root)
    (root / "left" / "1.png").write_bytes(b"tfel")
    assert fingerprint(root) == before
    (root / "labels.csv").write_text("path,klass\n")
    assert fingerprint(root) != before


@pytest.mark.parametrize(
    "name",
    [
        ".DS_Store",
        ".hidden/1.png",
        "__MACOSX/1.png",
        "runs/mine/study.json",
        "left/._1",
    ],
)
def test_hidden_files_and_the_results_of_studies_do_not_count(root, name):
    before = fingerprint(root)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("{}")
    assert fingerprint(root) == before


def test_links_in_a_circle_end(root):
    (root / "left" / "again").symlink_to(root)
    assert fingerprint(root)


def test_synthetic_sets_and_missing_folders_have_no_fingerprint(root):
    assert data_fingerprint("fundus", root) is None
    assert data_fingerprint("shapes", root) is None
    assert data_fingerprint("folder", None) is None
    assert data_fingerprint("folder", root / "nowhere") is None


def test_a_recorded_fingerprint_serves_where_the_folder_is_not(root):
    here = Study(datasets=("folder", "fundus"), root=str(root), regimes=1.0)
    found = study_fingerprints(here, {"folder": "old"})
    assert found == {"folder": fingerprint(root)}
    away = Study(datasets=("folder", "fundus"), root="/nowhere", regimes=1.0)
    assert study_fingerprints(away, found) == found
    assert study_fingerprints(away) == {}
    assert list(identify_trials(here, found)) == list(identify_trials(away, found))
