"""What held against the app: paths, bodies, uploads at once, abandoned streams."""

import io
import itertools
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

import pytest
from inner import Inner, ask
from PIL import Image
from raw import Raw, given

TARGETS = ("/etc/passwd", "etc/passwd", "/proc/self/environ", "C:\\Windows\\win.ini")
STEPS = (
    "",
    "../" * 6,
    "..\\" * 6,
    "%2e%2e/" * 6,
    "....//" * 6,
    "..%2f" * 6,
    "%252e/" * 6,
)
ADDRESSES = (
    "http://127.0.0.1:22/",
    "http://localhost/",
    "http://[::1]/",
    "http://0.0.0.0/",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "http://192.168.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://127.1/",
    "https://example.org/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "//example.org/x",
)
WAYS = ("file=", "file/", "proxy=")
PATHS = [step + target for step, target in itertools.product(STEPS, TARGETS)]


@pytest.mark.parametrize("way", WAYS)
def test_no_path_and_no_address_reaches_a_route_that_reads(way):
    inner = Inner()
    for path in (*PATHS, *ADDRESSES):
        for written in (path, quote(path, safe="")):
            answer = ask(inner, "GET", f"/gradio_api/{way}{written}")
            assert answer.status_code in (403, 404), path
    assert inner.seen == []


def test_the_running_app_gives_out_none_of_them_either(raw):
    for way, path in itertools.product(WAYS, PATHS[:6] + list(ADDRESSES[:3])):
        answer = raw.http.get(f"{raw.url}/gradio_api/{way}{path}")
        assert answer.status_code == 404 and "root:" not in answer.text
    for path in (
        "/../../etc/passwd",
        "/static/../../../etc/passwd",
        "/assets/%2e%2e/x",
    ):
        assert "root:" not in _exact(raw.url, path)


def _exact(url, path):
    """Asks for a path as it stands: clients would tidy it."""
    host = urlsplit(url)
    with socket.create_connection((host.hostname, host.port), timeout=20) as connection:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host.netloc}\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(request.encode())
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts).decode(errors="replace")


@pytest.mark.parametrize("size", [10**8, 10**9, 10**12])
def test_a_body_that_says_it_is_huge_is_refused_before_it_comes(raw, size):
    host = urlsplit(raw.url)
    with socket.create_connection((host.hostname, host.port), timeout=20) as connection:
        head = (
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host.netloc}\r\n"
            f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {size}"
            "\r\n\r\n--x\r\n"
        )
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(4096)


@pytest.mark.slow
def test_thirty_uploads_at_once_are_all_answered(app):
    stream = io.BytesIO()
    Image.new("RGB", (60, 40), "green").save(stream, "PNG")

    def send(_):
        visitor = Raw(app)
        sent = visitor.upload(stream.getvalue())
        if sent.status_code != 200:
            return sent.text
        event = visitor.event("ma-upload", "upload")
        (path,) = sent.json()
        return visitor.call(event, [given(path), {"dataset": "fundus"}])[0]

    with ThreadPoolExecutor(30) as visitors:
        assert list(visitors.map(send, range(30))) == [True] * 30


@pytest.mark.slow
def test_sixty_abandoned_streams_leave_the_server_well(app, raw):
    event = raw.event("ma-uploaded-file", "upload")
    for _ in range(60):
        visitor = Raw(app)
        body = {"data": [None] * 3, "fn_index": event, "session_hash": visitor.session}
        visitor.http.post(f"{visitor.url}/gradio_api/queue/join", json=body)
        url = f"{visitor.url}/gradio_api/queue/data?session_hash={visitor.session}"
        with visitor.http.stream("GET", url) as answers:
            next(answers.iter_lines())  # and goes
        visitor.http.close()
    payload = {"question": {"dataset": "fundus", "image": 0}}
    assert '"audit"' in raw.server("ma-explore", "answer", payload).text
