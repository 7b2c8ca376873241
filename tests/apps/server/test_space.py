"""The Space's and the container's files agree with the project's own pins."""

import json
import re
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
APPS = ROOT / "apps"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(lines):
    """Reads `name==version; marker` lines into a dict from name and marker."""
    found = {}
    for line in lines:
        line = line.split(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        pin, _, marker = (part.strip() for part in line.partition(";"))
        name, version = pin.split("==")
        found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), set()).add(version)
    return found


def test_every_requirement_is_pinned_as_in_the_project():
    required = pins((APPS / "requirements.txt").read_text().splitlines())
    ours = pins(PROJECT["tool"]["uv"]["constraint-dependencies"])
    assert {n: v for n, v in required.items() if not v <= ours.get(n, set())} == {}
    needed = {
        re.split(r"[<>=!\[; ]", name)[0].lower()
        for name in PROJECT["project"]["dependencies"]
    }
    assert needed <= set(required)


def test_the_description_of_the_space_agrees_with_its_files():
    _, front, _ = (APPS / "README.md").read_text().split("---\n", 2)
    space = yaml.safe_load(front)
    assert space["sdk"] == "gradio" and (APPS / space["app_file"]).is_file()
    required = pins((APPS / "requirements.txt").read_text().splitlines())
    assert required["gradio"] == {space["sdk_version"]}
    assert space["license"] == PROJECT["project"]["license"].lower()
    assert len(space["short_description"]) <= 60
    assert isinstance(space["python_version"], str)


def test_the_container_copies_existing_files_and_runs_without_root():
    lines = (APPS / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1] for line in lines if line.startswith("COPY")]
    assert copied and all((ROOT / source).exists() for source in copied)
    user = [line.split()[1] for line in lines if line.startswith("USER")]
    assert user == ["learner"]
    assert lines.index("USER learner") < lines.index('CMD ["python", "app.py"]')


@pytest.mark.slow
def test_the_space_serves_its_page_from_its_own_folder(tmp_path):
    for name in ("app.py", "medattn_app"):
        source = APPS / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    shutil.copytree(ROOT / "medattn", tmp_path / "medattn")
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "MEDATTN_LANG": "pt",
    }
    running = subprocess.Popen(
        [sys.executable, "-P", "app.py"], cwd=tmp_path, env=environment
    )
    try:
        end = time.monotonic() + 180
        while True:
            try:
                page = urllib.request.urlopen(f"http://127.0.0.1:{port}/config")
                break
            except OSError:
                assert running.poll() is None and time.monotonic() < end
                time.sleep(1)
        said = json.dumps(json.load(page), ensure_ascii=False)
        assert "não serve para diagnóstico" in said
    finally:
        running.terminate()
        running.wait(timeout=60)
