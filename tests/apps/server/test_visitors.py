"""Visitors of the running app who mean harm, or come all at once."""

import io
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image
from raw import Raw, given

SECRET = "MARIA-DA-SILVA-1956-LISBOA"


def png(colour="red"):
    stream = io.BytesIO()
    Image.new("RGB", (50, 50), colour).save(stream, "PNG")
    return stream.getvalue()


def own(raw, path, name="eye.png"):
    """Asks the tab Your own about a file that came: `(success, output)`."""
    event = raw.event("ma-uploaded-file", "upload")
    return raw.call(event, [given(path, name), network(raw), "gradient"])


def network(raw):
    part = raw.component("ma-uploaded-network")
    props = next(p["props"] for p in raw.config["components"] if p["id"] == part)
    return props["value"]


def test_ten_learners_who_send_the_same_file_at_once_all_see_it(app, raw):
    def send(_):
        learner = Raw(app)
        (path,) = learner.upload(png(), "eye.png").json()
        return path, *own(learner, path)

    with ThreadPoolExecutor(10) as learners:
        found = list(learners.map(send, range(10)))
    assert [said for _, success, said in found if not success] == []
    assert len({path for path, _, _ in found}) == 10


def test_answers_about_an_image_are_not_remembered_without_it(service):
    """No cache but the image's own holds them."""
    from medattn_app.domain.cases import Case, synthetic_cases

    synthetic = synthetic_cases("fundus")[0]
    image = Case(synthetic.pixels.copy(), synthetic.picture)
    cell = service.networks("fundus")[0]
    before = len(service._answers._answers)
    first = service.answer(image, cell, "gradient")
    assert service.cached(image, cell, "gradient") is first
    assert len(service._answers._answers) == before
    again = Case(synthetic.pixels.copy(), synthetic.picture)
    assert service.cached(again, cell, "gradient") is None


def test_a_planted_file_is_had_through_no_way(raw, tmp_path):
    planted = tmp_path / "planted.png"
    Image.new("RGB", (40, 40), (1, 2, 3)).save(planted)
    for path in (str(planted), f"file://{planted}", "http://127.0.0.1:9/planted.png"):
        success, said = own(raw, path)
        assert not success and "base64" not in json.dumps(said)
        body = {"data": [given(path)], "session_hash": raw.session}
        for name in ("explain_own", "export_own"):
            for way in ("run", "api", "call"):
                url = f"{raw.url}/gradio_api/{way}/{name}"
                answer = raw.http.post(url, json=body)
                assert "base64" not in answer.text and "relevance" not in answer.text
                assert str(tmp_path) not in answer.text
        payload = {"question": {"dataset": "fundus"}, "uploaded": path}
        assert '"map"' not in raw.server("ma-explore", "answer", payload).text
    assert planted.exists()


def test_no_address_that_a_visitor_names_is_connected_to(raw):
    """The routes are closed whether the app is offline or not."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(1.5)
        port = listener.getsockname()[1]
        url = f"http://127.0.0.1:{port}/x.png"

        def listen():
            try:
                asked.append(listener.accept())
            except TimeoutError:
                pass

        listening = threading.Thread(target=listen)
        listening.start()
        for way in ("file=", "proxy=", "file/"):
            answer = raw.http.get(f"{raw.url}/gradio_api/{way}{url}")
            assert answer.status_code == 404
        assert not own(raw, url)[0]
        meta = {"path": "x", "url": url, "meta": {"_type": "gradio.FileData"}}
        body = {"data": [meta], "session_hash": raw.session}
        raw.http.post(f"{raw.url}/gradio_api/run/explain_own", json=body)
        listening.join()
    assert asked == []


def test_another_sites_page_reads_nothing(raw):
    evil = {"Origin": "https://evil.example", "Host": "demo.example"}
    for path in ("/config", "/gradio_api/info", "/"):
        answer = raw.http.get(raw.url + path, headers=evil)
        assert answer.status_code == 403
        assert not [name for name in answer.headers if "access-control" in name]
    for headers in ({}, {"Origin": raw.url}):
        answer = raw.http.get(f"{raw.url}/config", headers=headers)
        assert answer.status_code == 200
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors" in answer.headers["content-security-policy"]


def test_an_image_is_forgotten_when_its_page_is_closed(app, raw):
    visitor = Raw(app)
    page = f"{visitor.url}/gradio_api/heartbeat/{visitor.session}"
    with visitor.http.stream("GET", page) as beats:
        lines = beats.iter_lines()  # dropped, it would close the connection
        next(lines)
        (path,) = visitor.upload(png("blue")).json()
        event = visitor.event("ma-upload", "upload")
        success, said = visitor.call(event, [given(path), {"dataset": "fundus"}])
        assert success
        assert " at 0x" not in json.dumps(said)
        key = json.loads(said["data"][0]["props"]["uploaded"])["uploaded"]
        (path,) = visitor.upload(png("blue")).json()
        assert own(visitor, path)[0]
        payload = {"question": {"dataset": "fundus"}, "uploaded": key}
        assert (
            visitor.server("ma-explore", "picture", payload).json().get("error") is None
        )
        from medattn_app.domain.cases import Case

        states = app.app.state_holder.session_data[visitor.session].state_data
        assert [value for value in states.values() if isinstance(value, Case)]
    end = time.monotonic() + 20
    while True:
        reply = visitor.server("ma-explore", "picture", payload).json()
        if "no longer kept" in reply.get("error", ""):
            break
        assert time.monotonic() < end, str(reply)[:300]
        time.sleep(0.2)
    states = app.app.state_holder.session_data[visitor.session].state_data
    assert not [value for value in states.values() if isinstance(value, Case)]


def test_logs_hold_nothing_that_was_sent(raw, capfd, caplog):
    long = SECRET * 3000  # 87 kB
    event = raw.event("ma-uploaded-file", "upload")
    for _ in range(6):
        raw.call(event, [given(SECRET), long, long])
        raw.call(event, [long])
        raw.call(10**6, [long])
        raw.server("ma-explore", "answer", {"question": {"dataset": long}})
        raw.server("ma-explore", "answer", {"question": {"seed": {SECRET: 1}}})
        raw.http.post(f"{raw.url}/gradio_api/queue/join", content=SECRET.encode())
        raw.http.post(f"{raw.url}/gradio_api/run/explain", json={"data": [long]})
    out = "".join(capfd.readouterr()) + caplog.text
    assert SECRET not in out and "Traceback" not in out
    assert len(out) < 5000


def test_no_answer_holds_the_words_of_python_or_pydantic(raw):
    join = f"{raw.url}/gradio_api/queue/join"
    for body in ({}, {"data": 7}, {"data": [], "session_hash": 9}, {"fn_index": "x"}):
        answer = raw.http.post(join, json=body)
        assert answer.status_code >= 400
        for word in ("pydantic", "Traceback", " object at 0x", "type_error", "loc"):
            assert word not in answer.text
    for values in ([], [None] * 9, [{"a": 1}] * 9, ["x"] * 40):
        url = f"{raw.url}/gradio_api/run/explain"
        said = raw.http.post(url, json={"data": values}).text
        for word in ("Error(", "0x", "unhashable", "NoneType", "positional", "/"):
            assert word not in said


def test_while_one_page_asks_more_than_can_wait_others_are_answered(app, raw):
    flood, event = Raw(app), raw.event("ma-uploaded-file", "upload")
    join = f"{flood.url}/gradio_api/queue/join"
    body = {"data": [given("x"), None, None], "fn_index": event}
    body["session_hash"] = flood.session
    for _ in range(70):
        assert flood.http.post(join, json=body).status_code == 200
    transport = httpx.HTTPTransport(local_address="127.0.0.2")
    learner = Raw(app)
    learner.http = httpx.Client(timeout=60, trust_env=False, transport=transport)
    (path,) = learner.upload(png()).json()
    assert own(learner, path)[0]


@pytest.mark.parametrize("size", [(1, 16_000), (16_384, 1)])
def test_a_line_of_pixels_is_shown_and_the_server_goes_on(app, raw, size):
    stream = io.BytesIO()
    Image.new("1", size, 1).save(stream, "PNG")
    assert len(stream.getvalue()) < 1000
    (path,) = raw.upload(stream.getvalue()).json()
    success, _ = own(raw, path)
    assert success
    kept = [p for p in Path(app.medattn_uploads).rglob("*") if p.is_file()]
    assert kept == []
