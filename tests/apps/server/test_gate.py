"""The gate before Gradio: which requests pass, and what every answer carries."""

import asyncio
import io
import json

import pytest
from inner import Inner, ask
from PIL import Image

from medattn_app.server.gate import Gate, GateRules
from medattn_app.server.receiving import Receiving
from medattn_app.server.rules import MAX_JSON_BYTES
from medattn_app.service import arrivals as arrived
from medattn_app.service import uploads

API = "/gradio_api"


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/file=http://198.51.100.7/x.png",
        f"{API}/file=https://example.org",
        f"{API}/file=/etc/passwd",
        f"{API}/file/etc/passwd",
        f"{API}/proxy=http://198.51.100.7/",
        f"{API}/dev/reload",
        f"{API}/token",
        f"{API}/stream/a/1/2/playlist.m3u8",
        f"{API}/vibe-code",
        f"{API}/profiling/traces",
        f"{API}/runs",
        f"{API}/mcp/",
        "/monitoring",
        "/monitoring/summary",
        f"{API}/deep_link",
        "/docs",
        "/openapi.json",
    ],
)
def test_routes_that_nobody_needs_are_closed(path):
    inner = Inner()
    assert ask(inner, "GET", path).status_code == 404
    assert inner.seen == []


@pytest.mark.parametrize(
    "path", ["/", "/pt", "/pt/", "/config", "/assets/a.js", "/theme.css", f"{API}/info"]
)
def test_the_pages_own_routes_are_open_and_carry_the_headers(path):
    answer = ask(Inner(), "GET", path)
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert "object-src 'none'" in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers


def test_a_host_names_who_may_frame_the_page():
    rules = GateRules(max_upload=9, embedded_by=("https://huggingface.co",))
    headers = ask(Inner(), "GET", "/", rules=rules).headers
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'self' https://huggingface.co" in policy
    assert "x-frame-options" not in headers


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://demo.example.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://demo.example"}, 403),
        ({"Origin": "http://demo.example"}, 200),
        ({"Origin": "https://demo.example", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({}, 200),
    ],
)
def test_only_the_pages_own_origin_may_ask(method, headers, status):
    inner = Inner()
    path = "/config" if method == "GET" else f"{API}/cancel"
    how = {} if method == "GET" else {"json": {}}
    answer = ask(inner, method, path, headers=headers, **how)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers
    for scope, _ in inner.seen:  # so that Gradio cannot answer it
        assert b"origin" not in dict(scope["headers"])


def test_a_link_from_another_site_opens_the_page():
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ask(Inner(), "GET", "/", headers=headers).status_code == 200


def test_preflights_and_other_methods_are_not_answered():
    for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"):
        assert ask(Inner(), method, "/config").status_code == 404


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"[1, 2]",
        b"[" * 50_000,
        {"data": deep(60)},
        {
            "data": [
                {"path": "http://198.51.100.7/", "meta": {"_type": "gradio.FileData"}}
            ]
        },
        {"data": [{"path": "HTTP://198.51.100.7/", "meta": {"_type": "x"}}]},
        {"data": [[{"a": {"path": None, "meta": {"_type": "gradio.FileData"}}}]]},
        {"data": [{"path": "a\0b", "meta": {"_type": "gradio.FileData"}}]},
        {"data": [], "session_hash": "x" * 65},
        {"data": [], "session_hash": {"a": 1}},
        {"data": [], "session_hash": "<script>"},
    ],
)
@pytest.mark.parametrize("path", ["queue/join", "run/explain_own", "component_server"])
def test_a_body_that_no_page_sends_is_refused_before_gradio(path, body):
    inner = Inner()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = ask(inner, "POST", f"{API}/{path}", content=content)
    assert answer.status_code == 400 and inner.seen == []
    assert len(answer.json()["detail"]) < 100


def test_a_body_beyond_128_kb_is_refused_and_one_below_passes_unchanged():
    inner = Inner()
    long = json.dumps({"data": "x" * MAX_JSON_BYTES}).encode()
    path = f"{API}/queue/join"
    assert ask(inner, "POST", path, content=long).status_code == 413
    assert inner.seen == []
    short = json.dumps({"data": [1], "session_hash": "ab-c_1"}).encode()
    assert ask(inner, "POST", path, content=short).status_code == 200
    assert inner.seen[0][1] == short


FILE = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize("name", ["explain_own", "explain", "predict"])
def test_over_mcp_a_call_brings_plain_values_only(name):
    rules, inner = GateRules(max_upload=9, mcp=True), Inner()
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    for values in (
        {"image": FILE},
        {"dataset": FILE},
        {"a": [FILE]},
        [FILE],
        FILE["path"],
    ):
        body = call | {"params": {"name": name, "arguments": values}}
        for sent in (body, [body]):
            answer = ask(inner, "POST", f"{API}/mcp/", rules=rules, json=sent)
            assert inner.seen == [] and "no files" in answer.json()["error"]["message"]
            assert answer.json()["id"] == 1
    body = call | {"params": {"name": name, "arguments": {"image": 2, "regime": 0.1}}}
    assert ask(inner, "POST", f"{API}/mcp/", rules=rules, json=body).status_code == 200


@pytest.mark.parametrize("status", [400, 404, 405, 422, 500, 503])
def test_gradios_and_pythons_words_do_not_go_out(status):
    inner = Inner(
        status,
        b'{"detail": "ValidationError for PredictBody <object at 0x7f> /home/me"}',
        [(b"content-encoding", b"br")],
    )
    answer = ask(inner, "POST", f"{API}/queue/join", json={"data": []})
    assert answer.status_code == status
    assert "0x" not in answer.text and "Validation" not in answer.text
    assert "content-encoding" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_failure_inside_is_one_line_for_the_host_and_a_sentence_outside(caplog):
    inner = Inner()
    inner.failure = KeyError("MARIA-DA-SILVA " + 9000 * "x")
    answer = ask(inner, "POST", f"{API}/queue/join", json={"data": []})
    assert answer.status_code == 500 and "MARIA" not in answer.text
    (line,) = [record.getMessage() for record in caplog.records]
    assert "KeyError" in line and "MARIA" not in line and len(line) < 200


def test_after_five_wrong_passwords_an_address_waits():
    inner = Inner(400, b'{"detail": "Incorrect credentials."}')
    gate = Gate(inner, GateRules(max_upload=9))

    def attempt(address):
        form = {"username": "a", "password": "b"}
        answer = ask(inner, "POST", "/login", rules=gate, data=form, address=address)
        return answer

    assert [attempt("203.0.113.1").status_code for _ in range(7)] == 5 * [400] + 2 * [
        429
    ]
    waiting = attempt("203.0.113.1")
    assert 1 <= int(waiting.headers["retry-after"]) <= 11
    assert len(inner.seen) == 5  # the password was not compared
    assert attempt("203.0.113.2").status_code == 400  # others may try


def test_a_page_that_is_closed_is_noticed_at_once_even_if_gradio_does_not():
    closed = []

    async def deaf(scope, receive, send):  # Gradio waits for its next heartbeat
        await asyncio.sleep(5)

    gate = Gate(deaf, GateRules(max_upload=9), closed.append)

    async def visit():
        sent = [{"type": "http.request"}, {"type": "http.disconnect"}]

        async def receive():
            await asyncio.sleep(0.01)
            return sent.pop(0)

        async def send(message):
            pass

        scope = {"type": "http", "method": "GET", "path": f"{API}/heartbeat/page1"}
        scope |= {"headers": [], "client": ("203.0.113.9", 1)}
        staying = asyncio.create_task(gate(scope, receive, send))
        await asyncio.sleep(0.3)
        assert closed == ["page1"]
        staying.cancel()

    asyncio.run(visit())


# Files


def png(side=30):
    stream = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(stream, "PNG")
    return stream.getvalue()


def send_file(inner, content, name="eye.png", rules=None, **how):
    files = {"files": (name, content)}
    return ask(inner, "POST", f"{API}/upload", rules=rules, files=files, **how)


def test_each_file_comes_to_gradio_as_a_secret_of_its_own(monkeypatch):
    monkeypatch.setattr(uploads, "arrivals", arrived.Arrivals())
    inner = Inner()
    for _ in range(3):
        assert send_file(inner, png()).status_code == 200
    secrets = set()
    for _, content in inner.seen:
        assert b"PNG" not in content and b'filename="eye.png"' in content
        secrets.add(content.split(b"\r\n\r\n")[1].split(b"\r\n")[0])
    assert len(secrets) == 3 and len(uploads.arrivals) == 3
    pixels, picture = uploads.arrivals.take(secrets.pop())
    assert pixels.shape == (64, 64, 3) and picture.shape == (30, 30, 3)


@pytest.mark.parametrize(
    ("how", "status"),
    [
        (dict(files={"files": ("a.png", bytes(2_000_000))}), 413),
        (dict(content=b"x", headers={"content-length": str(10**9)}), 413),
        (dict(content=b"x", headers={"content-type": "multipart/form-data"}), 400),
        (dict(content=b"", headers={"content-type": "text/plain"}), 400),
        (dict(files=[("files", ("a", b"1")), ("files", ("b", b"2"))]), 400),
        (dict(data={"files": "no file"}), 400),
    ],
)
def test_what_is_no_form_with_one_fitting_file_is_refused(how, status):
    inner = Inner()
    answer = ask(inner, "POST", f"{API}/upload", **how)
    assert answer.status_code == status and inner.seen == []


def test_nobody_sends_a_file_without_logging_in_or_where_none_may_come(monkeypatch):
    def decoded(*_):
        raise AssertionError("the file was decoded")

    monkeypatch.setattr("medattn_app.server.receiving.receive_file", decoded)
    inner = Inner()
    inner.logged_in = False
    assert send_file(inner, png()).status_code == 401
    inner.logged_in = True
    closed = GateRules(max_upload=10**6, uploads=False)
    assert send_file(inner, png(), rules=closed).status_code == 404
    assert inner.seen == []


def test_a_full_disk_is_said_and_leaves_nothing(monkeypatch):
    async def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("starlette.datastructures.UploadFile.write", full)
    answer = send_file(Inner(), png())
    assert answer.status_code == 507 and "disk is full" in answer.text


def test_memory_for_files_on_their_way_is_bounded(monkeypatch):
    monkeypatch.setattr("medattn_app.server.receiving.MAX_BYTES_OF_A_VISITOR", 100)
    receiving = Receiving(1000)
    with receiving._reserved("a", 80):
        for visitor, free in (("a", False), ("b", True)):
            try:
                with receiving._reserved(visitor, 80):
                    assert free
            except Exception as error:
                assert not free and error.status == 503  # noqa: PT017
    with receiving._reserved("a", 80):  # it was given back
        pass
