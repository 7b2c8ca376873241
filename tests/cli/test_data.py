"""The verb data: its output, its errors, and a kill in the middle."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medattn.cli import main


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["medattn", "data", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code or 0
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Two classes of small pictures, and a cache of its own."""
    monkeypatch.setenv("MEDATTN_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for kind in ("no", "yes"):
        (tmp_path / "mine" / kind).mkdir(parents=True)
        for i in range(20):
            image = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
            path = tmp_path / "mine" / kind / f"{i}.png"
            image.resize((64, 48), Image.Resampling.BICUBIC).save(path)
    return tmp_path / "mine"


def test_list_names_every_data_set_and_its_restrictions(monkeypatch, capsys):
    code, out, _ = run(monkeypatch, capsys, "list")
    assert code == 0 and "fundus" in out and "isic2020" in out
    line = next(line for line in out.splitlines() if line.startswith("mimic"))
    assert "CREDENTIALED" in line


def test_check_counts_a_folder_without_faults(monkeypatch, capsys, folder):
    code, out, _ = run(monkeypatch, capsys, "check", "folder", "--root", folder)
    assert code == 0 and "No faults found" in out
    assert "no 14, yes 14" in out


def test_check_prints_every_fault_and_exits_with_1(monkeypatch, capsys, folder):
    (folder / "no" / "3.png").write_bytes(b"")
    (folder / "yes" / "4.png").write_bytes((folder / "no" / "5.png").read_bytes())
    code, out, _ = run(monkeypatch, capsys, "check", "folder", "--root", folder)
    assert code == 1
    assert "2 faults" in out and "3.png is empty" in out
    assert "5.png, 4.png look the same" in out


def test_preview_writes_a_contact_sheet(monkeypatch, capsys, folder, tmp_path):
    for arguments in (["chest"], ["folder", "--root", folder]):
        path = tmp_path / f"{arguments[0]}.png"
        code, _, _ = run(
            monkeypatch, capsys, "preview", *arguments, "-o", path, "--size", "32"
        )
        assert code == 0
        with Image.open(path) as sheet:
            assert sheet.size == (6 * 32, 4 * 32)


def test_options_of_a_data_set_are_names_with_values(
    monkeypatch, capsys, folder, tmp_path
):
    """The same images under another table, and presets of a synthetic data set."""
    rows = [(f"{kind}/{i}.png", kind) for kind in ("no", "yes") for i in range(5)]
    few = pd.DataFrame(rows, columns=["path", "label"])
    few.to_csv(folder / "few.csv", index=False)
    arguments = ("folder", "--root", folder, "--options", "table=few.csv")
    code, out, _ = run(monkeypatch, capsys, "check", *arguments)
    assert code == 0 and "In all: rows 10, files 40" in out
    code, out, _ = run(monkeypatch, capsys, "prepare", *arguments, "--size", "32")
    assert code == 0 and "10 images of 32 x 32" in out
    for preset in ("standard", "hard"):
        path = tmp_path / f"{preset}.png"
        options = ("--size", "32", "-o", path, "--options", f"preset={preset}")
        code, _, err = run(monkeypatch, capsys, "preview", "chest", *options)
        assert code == 0, err
    assert path.read_bytes() != (tmp_path / "standard.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "folder", "--options", "few.csv"], "Expected name=value"),
        (["prepare", "folder", "--options", "view=PA"], "has no option 'view'"),
        (["check", "fundus"], "is synthetic"),
        (["check", "folder", "--options", "view=PA"], "has no option 'view'"),
        (["check", "folder", "--options", "duplicates=drop"], "before --options"),
        (["check", "folder", "--options", "table=["], "cannot be read"),
        (["preview", "chest", "--options", "view=PA"], "has no option 'view'"),
        (["preview", "chest", "--options", "shortcut=x"], "-1 <= shortcut <= 1"),
        (["check", "isic"], "Unknown data set 'isic'"),
        (["prepare", "isic2020"], "Expected root="),
    ],
)
def test_a_mistake_gives_one_sentence_and_exit_code_2(
    monkeypatch, capsys, arguments, said
):
    code, _, err = run(monkeypatch, capsys, *arguments)
    assert code == 2 and said in err
    assert len(err.strip().splitlines()) == 1


def test_prepare_survives_a_kill_and_decodes_nothing_twice(folder, tmp_path):
    """Killed in the middle; the finished shards are kept."""
    rows = []
    for i in range(400):
        name = f"yes/{i % 20}.png" if i % 2 else f"no/{i % 20}.png"
        rows.append((name, i % 2))
    big = folder / "labels.csv"
    pd.DataFrame(rows, columns=["path", "label"]).to_csv(big, index=False)
    code = (
        "import sys, time\n"
        "from medattn.data import sources\n"
        "plain = sources.decode\n"
        "def slow(path, size, fit):\n"
        "    time.sleep(0.01)\n"
        "    return plain(path, size, fit)\n"
        "sources.decode = slow\n"
        "from medattn.cli.data import prepare\n"
        f"prepare('folder', root={str(folder)!r}, size=32)\n"
    )
    environment = os.environ | {"MEDATTN_CACHE": str(tmp_path / "cache")}
    start = lambda: subprocess.Popen(  # noqa: E731
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE
    )
    process = start()
    finished = []
    for _ in range(6000):  # a loaded machine takes its time to import
        finished = list(tmp_path.glob("cache/prepared/*/0*.json"))
        if finished:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert finished and not list(tmp_path.glob("cache/prepared/*/index.json"))
    written = {path: path.stat().st_mtime_ns for path in finished}
    again = start()
    out, _ = again.communicate()
    assert again.returncode == 0 and b"400 images of 32 x 32" in out
    assert all(path.stat().st_mtime_ns == when for path, when in written.items())
    assert len(list(tmp_path.glob("cache/prepared/*/index.json"))) == 1
