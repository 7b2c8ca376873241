"""A visitor's own image, exported and asked about by endpoints: as safe as the tab."""

import base64
import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from medattn.zoo import find_zoo_record
from medattn_app.domain.texts import Words
from medattn_app.server.endpoints import endpoints
from medattn_app.service.context import Context
from medattn_app.service.uploads import read_upload

KINDS = ("png", "csv", "html")


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def context(service):
    return Context(service=service, words=Words())


@pytest.fixture
def ask(context):
    """The endpoints by their names."""
    return {function.__name__: function for function in endpoints(context)}


@pytest.fixture
def send(tmp_path, monkeypatch):
    """A function that puts a file where Gradio would, and gives it as a client does."""
    place = tmp_path / "gradio"
    place.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(place))

    def put(content, name="eye.png"):
        folder = place / "0a1b"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        meta = {"_type": "gradio.FileData"}
        return {"path": str(folder / name), "orig_name": name, "meta": meta}

    yield put
    assert [p for p in place.rglob("*") if p.is_file()] == []  # whatever happened


def opened(file):
    """Takes a data address apart: the name's ending, and the content."""
    head, _, content = file["uri"].partition(";base64,")
    assert head.startswith("data:")
    return file["name"].rpartition(".")[2], base64.b64decode(content)


def test_the_endpoint_answers_as_the_bench_and_says_how_far_the_image_lies(
    ask, send, service, tmp_path
):
    content = png(skimage.data.astronaut())
    told = ask["explain_own"](send(content), attention="SE")
    (tmp_path / "again.png").write_bytes(content)
    case = read_upload(tmp_path / "again.png")
    cell = service.cell("fundus", "ResNet", "SE", 1.0)
    expected = service.answer(case, cell, "lrp.epsilon")
    assert told["probability"] == expected.probability
    np.testing.assert_array_equal(np.float32(told["relevance"]), expected.relevance)
    assert told["ledger"] == expected.audit_line and told["truth"] is None
    assert told["relevance_in_evidence"] is None
    assert told["like_nothing_seen"] is True and "means nothing" in told["note"]
    json.dumps(told)  # it travels


def test_every_kind_of_file_carries_the_numbers_and_what_they_are_worth(ask, send):
    files = {}
    for kind in KINDS:
        file = ask["export_own"](send(png(skimage.data.astronaut())), kind)
        assert file["name"] == f"medattn-fundus-ResNet-CBAM-lrp.epsilon.{kind}"
        ending, files[kind] = opened(file)
        assert ending == kind
    digest = find_zoo_record("cbam_micro_resnet")["weights_sha256"]
    (row,) = csv.DictReader(io.StringIO(files["csv"].decode()))
    assert row["image"] == "your own image" and row["weights_sha256"] == digest
    assert row["truth"] == row["relevance_in_evidence"] == row["edge_detector"] == ""
    assert 0 <= float(row["probability"]) <= 1 and "means nothing" in row["note"]
    with Image.open(io.BytesIO(files["png"])) as picture:
        assert picture.format == "PNG" and picture.width > 1000
        said = picture.info["Description"]
    assert "looks like nothing" in said and digest[:12] in said
    assert "not for diagnosis" in said and "= logit" in said
    html = files["html"].decode()
    assert "looks like nothing" in html and "<script" not in html
    assert "<pre>" not in html  # no line of Python makes a visitor's image


def test_networks_of_another_kind_answer_too(ask, send, service, tmp_path):
    content = png(skimage.data.astronaut())
    kind = dict(attention="SE", initialisation="shapes")
    told = ask["explain_own"](send(content), **kind)
    (tmp_path / "again.png").write_bytes(content)
    cell = service.cell("fundus", "ResNet", "SE", 1.0, initialisation="shapes")
    expected = service.answer(read_upload(tmp_path / "again.png"), cell, "lrp.epsilon")
    assert told["probability"] == pytest.approx(expected.probability, abs=1e-5)
    assert told["initialisation"] == "shapes"
    _, content = opened(ask["export_own"](send(content), "csv", **kind))
    (row,) = csv.DictReader(io.StringIO(content.decode()))
    digest = find_zoo_record("se_micro_resnet", initialisation="shapes")
    assert row["weights_sha256"] == digest["weights_sha256"]
    with pytest.raises(ValueError, match="not shipped"):
        ask["explain_own"](
            send(png(skimage.data.astronaut())), shortcut="0.9", regime=0.1
        )


def test_a_host_that_takes_no_images_offers_no_such_endpoint(context):
    closed = replace(context, settings=replace(context.settings, uploads=False))
    names = {function.__name__ for function in endpoints(closed)}
    assert names == {"list_networks", "predict", "explain", "compare"}


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\nbroken"])
@pytest.mark.parametrize("name", ["explain_own", "export_own"])
def test_what_is_no_image_is_refused_and_deleted(ask, send, name, content):
    with pytest.raises(ValueError) as error:
        ask[name](send(content, "<b>x.png"))
    said = str(error.value)
    assert "gradio/" not in said and "<" not in said and len(said) < 400


def test_a_bomb_is_refused_before_it_is_unpacked(ask, send):
    stream = io.BytesIO()
    Image.new("1", (9000, 9000)).save(stream, "PNG")  # 81 million pixels in 10 kB
    with pytest.raises(ValueError, match="pixels"):
        ask["explain_own"](send(stream.getvalue()))


@pytest.mark.parametrize(
    "choice",
    [
        {"dataset": "../../etc"},
        {"method": "<script>"},
        {"regime": float("nan")},
        {"seed": 10**9},
        {"attention": ["SE"]},
        {"kind": "exe"},
        {"kind": {"a": 1}},
    ],
)
def test_nonsense_beside_a_good_image_is_refused_and_the_image_deleted(
    ask, send, choice
):
    with pytest.raises(ValueError, match="Expected") as error:
        ask["export_own"](send(png(np.zeros((9, 9, 3), np.uint8))), **choice)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "file",
    [
        {"path": "/etc/passwd"},
        {"path": __file__},
        {"path": "../../etc/passwd"},
        {"path": "a\0b"},
        {"path": ""},
        {"path": ["x"]},
        {"url": "http://127.0.0.1/x.png"},
        {},
        [],
        None,
        "/etc/passwd",
        7,
    ],
)
def test_no_other_file_of_the_machine_is_read_or_deleted(ask, send, file):
    for name in ("explain_own", "export_own"):
        with pytest.raises(ValueError, match="No file came"):
            ask[name](file)
    assert Path(__file__).exists()


def test_a_link_out_of_the_folder_leads_nowhere(ask, send, tmp_path):
    kept = tmp_path / "kept.png"
    kept.write_bytes(png(np.zeros((9, 9, 3), np.uint8)))
    link = tmp_path / "gradio" / "link.png"
    link.symlink_to(kept)
    with pytest.raises(ValueError, match="No file came"):
        ask["explain_own"]({"path": str(link)})
    assert kept.exists()
    link.unlink()


# Through the running server


def test_a_notebook_sends_its_file_and_nothing_stays(app, tmp_path):
    from gradio_client import handle_file
    from learners import a_client

    (tmp_path / "cat.png").write_bytes(png(skimage.data.astronaut()))
    client = a_client(app.local_url)
    file = handle_file(str(tmp_path / "cat.png"))
    told = client.predict(image=file, api_name="/explain_own")
    assert told["like_nothing_seen"] is True and len(told["relevance"]) == 64
    taken = client.predict(image=file, kind="csv", api_name="/export_own")
    assert opened(taken)[0] == "csv"
    for path in ("/etc/passwd", __file__):
        with pytest.raises(Exception, match="No file came|not"):
            client.predict(image={"path": path}, api_name="/explain_own")
    client.close()
    assert [p for p in Path(app.medattn_uploads).rglob("*") if p.is_file()] == []


def test_the_tab_gives_what_it_shows_and_nothing_before_an_image_came(app, raw):
    part = raw.component("ma-uploaded-network")
    network = next(
        p["props"]["value"] for p in raw.config["components"] if p["id"] == part
    )
    for kind in KINDS:
        event = raw.event(f"ma-uploaded-export-{kind}", "click")
        success, said = raw.call(event, [None, network, "lrp.epsilon"])
        assert not success and "Choose an image" in said["error"]
    (path,) = raw.upload(png(skimage.data.astronaut())).json()
    assert raw.call(
        raw.event("ma-uploaded-file", "upload"),
        [raw.given(path), network, "lrp.epsilon"],
    )[0]
    for kind in KINDS:
        event = raw.event(f"ma-uploaded-export-{kind}", "click")
        success, said = raw.call(event, [None, network, "lrp.epsilon"])
        assert success and opened(said["data"][0])[0] == kind
        for bad in ([None, "no such network", "gradient"], [None, network, ["x"]]):
            success, said = raw.call(event, bad)
            assert not success and "choices" in said["error"]
    assert [p for p in Path(app.medattn_uploads).rglob("*") if p.is_file()] == []
