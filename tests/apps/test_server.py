"""The running server, asked without a browser."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError


def read(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


@pytest.fixture(scope="module")
def client(app):
    return Client(app.local_url, verbose=False, analytics_enabled=False)


def probability(html):
    return re.search(r'data-testid="chance">([^<]+)<', html).group(1)


def test_the_page_loads_nothing_from_elsewhere_and_keeps_no_history(app):
    page = read(app.local_url)
    assert not re.findall(r"""(?:src|href|url\()\s*=?\s*["']?https?://[^"')]+""", page)
    settings = json.loads(read(app.local_url + "config"))
    assert settings["analytics_enabled"] is False
    assert settings["run_history"] is False


@pytest.mark.slow
def test_the_server_asks_no_other_host():
    """In a process of its own: gradio_client, which tests need, asks a hub."""
    script = Path(__file__).parent / "hosts.py"
    out = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True
    )
    asked = re.search(r"^asked (.+)$", out.stdout, re.MULTILINE).group(1).split()
    assert "127.0.0.1" in asked  # the recorder sees
    assert set(asked) <= {"127.0.0.1", "localhost", "::1", "None"}


def test_toggling_through_the_api_changes_the_answer(client):
    chances = {
        probability(
            client.predict(attention, regime, "LRP, epsilon rule", api_name="/show")
        )
        for attention in ("none", "SE", "CBAM")
        for regime in ("1 %", "100 %")
    }
    assert len(chances) >= 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("ECA", "1 %", "LRP, epsilon rule"),
        ("SE", "2 %", "LRP, epsilon rule"),
        ("SE", "1 %", "magic"),
        (None, "1 %", "LRP, epsilon rule"),
    ],
)
def test_nonsense_is_refused_and_the_app_goes_on(client, arguments):
    with pytest.raises((AppError, ValueError)) as error:
        client.predict(*arguments, api_name="/show")
    assert "Traceback" not in str(error.value)
    html = client.predict("SE", "1 %", "LRP, epsilon rule", api_name="/show")
    assert probability(html)


def test_only_one_endpoint_is_offered(client):
    offered = client.view_api(return_format="dict", print_info=False)
    assert list(offered["named_endpoints"]) == ["/show"]
