"""Hostile visitors are refused in one sentence; nothing is kept, the server goes on."""

import base64
import io
import json
import re
import secrets
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

SECRET = "MARIA-DA-SILVA-1956-LISBOA"


@pytest.fixture(scope="module")
def network(raw):
    """The first network that the tab Your own offers."""
    part = raw.component("ma-uploaded-network")
    props = next(p["props"] for p in raw.config["components"] if p["id"] == part)
    return props["value"]


@pytest.fixture
def still_well(app, raw):
    """After the test the server answers, and holds no file of a visitor."""
    yield
    kept = [p.name for p in Path(app.medattn_uploads).rglob("*") if p.is_file()]
    assert kept == []
    answer = raw.server(
        "ma-explore", "answer", {"question": {"dataset": "fundus", "image": 0}}
    )
    assert answer.status_code == 200 and '"audit"' in answer.text


def send(raw, network, content, name="image.png"):
    """Uploads a file and asks the tab Your own about it: `(success, output)`."""
    sent = raw.upload(content, name)
    if sent.status_code != 200:
        return False, sent.text
    (path,) = sent.json()
    event = raw.event("ma-uploaded-file", "upload")
    return raw.call(event, [raw.given(path, name), network, "lrp.epsilon"])


def png(image, **options):
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def forged_png(width, height):
    """A PNG whose header claims a size that its few bytes do not hold."""

    def chunk(kind, body):
        check = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + check

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    body = zlib.compress(bytes(1000))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + chunk(b"IDAT", body) + chunk(b"IEND", b"")


BOMBS = {
    "81 million pixels in 10 kB": lambda: png(Image.new("1", (9000, 9000))),
    "a header of 4 billion pixels": lambda: forged_png(65_000, 65_000),
    "a broken picture": lambda: forged_png(100, 100),
    "text": lambda: b"this is no image",
    "an empty file": lambda: b"",
    "a page with a script": lambda: b"<svg onload=alert(1)><script>1</script></svg>",
    "a program": lambda: b"\x7fELF" + bytes(500),
    "an archive": lambda: b"PK\x03\x04" + bytes(500),
    "a pickle": lambda: b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "a moving picture": lambda: moving(),
    "a DICOM head without an image": lambda: bytes(128) + b"DICM" + bytes(20),
}


def moving():
    stream = io.BytesIO()
    frames = [Image.new("RGB", (9, 9), c) for c in ("red", "blue")]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


@pytest.mark.parametrize("kind", BOMBS)
def test_an_unfit_image_is_refused_in_a_sentence(raw, network, still_well, kind):
    success, said = send(raw, network, BOMBS[kind]())
    assert not success
    text = said["error"] if isinstance(said, dict) else said
    assert text and "Traceback" not in text and "/tmp" not in text
    assert len(text) < 400 and "\n" not in text.strip()


def test_a_hundred_megabytes_are_refused_and_not_kept(raw, still_well):
    assert raw.upload(bytes(100_000_000)).status_code == 413


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/cron.d/evil.png",
        "..\\..\\evil.png",
        "<img src=x onerror=alert(1)>.png",
        "a\0b.png",
        "x" * 3000 + ".png",
        "con.png ",
        "/etc/passwd",
    ],
)
def test_a_tricky_name_leads_nowhere(app, raw, network, still_well, name):
    sent = raw.upload(b"nonsense", name)
    if sent.status_code == 200:
        (path,) = sent.json()
        assert Path(path).resolve().is_relative_to(Path(app.medattn_uploads).resolve())
        assert "<" not in path
        event = raw.event("ma-uploaded-file", "upload")
        success, said = raw.call(event, [raw.given(path, name), network, "gradient"])
        assert not success and "<" not in said["error"]
    else:
        assert 400 <= sent.status_code < 500


def test_what_a_file_says_of_its_patient_goes_no_further(raw, network, still_well):
    image = Image.fromarray(
        np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8)
    )
    exif = Image.Exif()
    exif[0x010E] = exif[0x013B] = SECRET  # description, artist
    stream = io.BytesIO()
    image.save(stream, "JPEG", exif=exif, comment=SECRET.encode())
    info = PngInfo()
    info.add_text("Comment", SECRET)
    info.add_itxt("XML:com.adobe.xmp", f"<x:xmpmeta>{SECRET}</x:xmpmeta>")
    for content in (stream.getvalue(), png(image, pnginfo=info, exif=exif)):
        assert SECRET.encode() in content
        success, said = send(raw, network, content)
        assert success
        html = said["data"][1]
        pictures = re.findall(r"data:image/png;base64,([^\"]+)", html)
        assert len(pictures) >= 2 and SECRET not in json.dumps(said)
        for picture in map(base64.b64decode, pictures):
            assert SECRET.encode() not in picture
            assert Image.open(io.BytesIO(picture)).info == {}


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", __file__, "../../etc/passwd", "/proc/self/environ", "", None, 7],
)
def test_a_path_of_the_machine_is_not_read(raw, network, still_well, path):
    event = raw.event("ma-uploaded-file", "upload")
    success, said = raw.call(event, [raw.given(path), network, "lrp.epsilon"])
    text = json.dumps(said)
    assert not success and "root:" not in text and "Traceback" not in text


def test_no_address_gives_out_a_file_of_the_machine(app, raw, still_well):
    for path in ("/etc/passwd", __file__, app.medattn_uploads, "../../etc/passwd"):
        for way in ("file=", "file/"):
            answer = raw.http.get(f"{raw.url}/gradio_api/{way}{path}")
            assert answer.status_code in (401, 403, 404, 405), path


def test_another_visitors_file_is_gone_before_anybody_can_ask(raw, network, still_well):
    sent = raw.upload(png(Image.new("RGB", (50, 50), "red")))
    (path,) = sent.json()
    event = raw.event("ma-uploaded-file", "upload")
    assert raw.call(event, [raw.given(path), network, "gradient"])[0]
    assert raw.http.get(f"{raw.url}/gradio_api/file={path}").status_code in (403, 404)
    success, said = raw.call(event, [raw.given(path), network, "gradient"])
    assert not success and "Traceback" not in json.dumps(said)


def test_another_visitors_image_is_not_found_by_guessing(raw, still_well):
    for own in (secrets.token_urlsafe(16), "", "../x", 7, ["a"], {"a": 1}):
        answer = raw.server(
            "ma-explore", "answer", {"question": {"dataset": "fundus"}, "uploaded": own}
        )
        assert "map" not in answer.json() and "no longer kept" in answer.text


MARKUP = "<script>alert(1)</script>"
NONSENSE = (MARKUP, -1, 1e308, None, [], {"a": {"b": []}}, "0" * 999)


def test_every_function_called_with_nonsense_answers_and_the_server_goes_on(
    raw, still_well
):
    for one in raw.config["dependencies"]:
        count = len(one["inputs"])
        for filler in NONSENSE[:: 1 if one["queue"] is False else 3]:
            success, said = raw.call(one["id"], [filler] * count, {"x": filler})
            assert "Traceback" not in json.dumps(said), one["api_name"]
    assert raw.call(9999, [])[0] is False
    assert raw.call(-1, [])[0] is False


def test_every_function_of_the_page_called_with_nonsense_answers(raw, still_well):
    from medattn_app.tabs.explore.tab import CALLS

    for name in (*CALLS, "__init__", "_grid", "nonsense"):
        for filler in (*NONSENSE, {"question": {"dataset": "<b>"}}, {"question": 1}):
            answer = raw.server("ma-explore", name, filler)
            assert "Traceback" not in answer.text, name
            assert answer.status_code != 500 or name not in CALLS, name


def test_a_forged_query_opens_the_page_and_is_not_repeated(raw, still_well):
    forged = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
    for query in (
        f"?dataset={forged}&image=-5&regime=nan&hide={forged}&lang={forged}",
        "?" + "&".join(f"x{i}={i}" for i in range(2000)),
        "?image=" + "9" * 5000,
        "?dataset=fundus&dataset=chest&__theme=<b>&tab=nowhere",
    ):
        answer = raw.http.get(f"{raw.url}/{query}")
        assert answer.status_code == 200
        assert "<script>alert(1)" not in answer.text


def test_what_the_server_says_of_itself_holds_no_path_of_the_host(app, raw):
    config = json.dumps(raw.config)
    assert str(Path.home()) not in config and app.medattn_uploads not in config
    for way in ("monitoring", "gradio_api/deep_link", "gradio_api/startup-events"):
        answer = raw.http.get(f"{raw.url}/{way}")
        assert "/root" not in answer.text and "Traceback" not in answer.text
