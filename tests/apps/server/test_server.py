"""The running server answers without a browser."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest


def read(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def ask(app, name, payload):
    """Calls one of Explore's functions as the page's script does."""
    config = json.loads(read(app.local_url + "config"))
    viewer = next(
        part["id"]
        for part in config["components"]
        if part["props"].get("elem_id") == "ma-explore"
    )
    body = {
        "session_hash": "a-learner",
        "component_id": viewer,
        "fn_name": name,
        "data": payload,
    }
    request = urllib.request.Request(
        app.local_url + "gradio_api/component_server",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read())


def test_the_page_loads_nothing_from_elsewhere_and_keeps_no_history(app):
    page = read(app.local_url)
    assert not re.findall(r"""(?:src|href|url\()\s*=?\s*["']?https?://[^"')]+""", page)
    settings = json.loads(read(app.local_url + "config"))
    assert settings["analytics_enabled"] is False
    assert settings["run_history"] is False


@pytest.mark.slow
def test_the_server_connects_to_no_other_host():
    """In a process of its own: gradio_client, which tests need, asks a hub."""
    script = Path(__file__).parents[1] / "hosts.py"
    out = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True
    )
    hosts = re.search(r"^hosts (.+)$", out.stdout, re.MULTILINE).group(1).split()
    assert "127.0.0.1" in hosts  # the recorder works
    assert set(hosts) <= {"127.0.0.1", "localhost", "::1", "None"}


def test_a_toggle_over_the_wire_changes_the_answer(app):
    question = {"dataset": "fundus", "backbone": "ResNet"}
    found = {
        ask(app, "answer", {"question": question | {"attention": block, "regime": r}})[
            "cell"
        ]["probability"]
        for block in ("none", "SE", "CBAM")
        for r in (0.01, 1.0)
    }
    assert len(found) == 6


def test_nonsense_over_the_wire_is_a_sentence_and_the_server_goes_on(app):
    for payload in (
        None,
        [1, 2],
        {"question": {"attention": "ECA"}},
        {"uploaded": "x"},
    ):
        assert set(ask(app, "answer", payload)) == {"error"}
    assert ask(app, "answer", {"question": {}})["cell"]["probability_text"]
