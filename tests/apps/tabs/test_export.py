"""What is taken away: every number again, one picture without loss, a page alone."""

import base64
import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from medattn.zoo import find_zoo_record
from medattn_app.domain.texts import Words
from medattn_app.service.context import Context
from medattn_app.service.host_models import HostCell
from medattn_app.tabs.common.export_files import numbers_csv, pack, page_html
from medattn_app.tabs.common.export_view import COLUMNS, snippet, view_of

QUESTION = dict(dataset="fundus", image=2, backbone="ResNet", attention="SE")


@pytest.fixture(scope="module")
def service():
    from medattn_app.service.networks import NetworkService

    return NetworkService()


@pytest.fixture(scope="module")
def context(service):
    return Context(service=service, words=Words())


@pytest.fixture(scope="module")
def view(context):
    return view_of(context, QUESTION)


def test_the_numbers_are_those_of_the_bench_one_row_a_network(view, service):
    rows = list(csv.DictReader(io.StringIO(numbers_csv(view))))
    assert list(rows[0]) == list(COLUMNS) and len(rows) == 12
    for row, answer in zip(rows, view.others, strict=True):
        assert float(row["probability"]) == answer.probability
        assert float(row["map_sum"]) == pytest.approx(float(answer.relevance.sum()))
        assert float(row["relevance_in_evidence"]) == answer.quality["mass"]
    record = find_zoo_record("se_micro_resnet")
    chosen = [r for r in rows if (r["attention"], r["regime"]) == ("SE", "1.0")]
    assert [row["weights_sha256"] for row in chosen] == [record["weights_sha256"]]


def test_the_picture_is_png_and_carries_its_caption(context, view):
    file = pack(view, context.words, "png")
    assert file["name"] == "medattn-fundus-ResNet-SE-lrp.epsilon.png"
    content = base64.b64decode(file["uri"].removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG" and picture.width > 1000
        said = picture.info["Description"]
    digits = find_zoo_record("se_micro_resnet")["weights_sha256"][:12]
    assert digits in said and "= logit" in said and "not for diagnosis" in said


class Outside(HTMLParser):
    """Lists what a page would load or run."""

    def __init__(self):
        super().__init__()
        self.asked, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.asked += [
            value
            for name, value in attributes
            if name in ("src", "href", "action", "srcset") and value
        ] + [name for name, _ in attributes if name.startswith("on")]


def test_the_page_needs_nothing_else_and_runs_no_script(context, view):
    html = page_html(view, context.words, sentence="5 < 6 & <i>cannot tell</i>")
    read = Outside()
    read.feed(html)
    assert "script" not in read.tags and "link" not in read.tags
    assert all(value.startswith("data:image/png;base64,") for value in read.asked)
    assert "default-src 'none'" in html and "<i>" not in html
    assert not re.search(r"https?://", html)


def test_a_name_from_outside_stays_text(context, view):
    evil = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    cell = HostCell(name=evil, title=evil, dataset=evil)  # a file's name and its record
    answer = replace(view.chosen, cell=cell, refused=evil)
    shown = replace(view, chosen=answer, others=(answer,), hashes={}, note=evil)
    html = page_html(shown, context.words)
    assert html.count("&lt;script") >= 4
    read = Outside()
    read.feed(html)
    assert "script" not in read.tags and read.tags.count("img") == 1
    assert not any(value.startswith("on") for value in read.asked)


def test_the_snippet_gives_the_map_again(view):
    from medattn import create_analyzer
    from medattn.data import draw_images
    from medattn.zoo import load_zoo_model

    names = dict(
        create_analyzer=create_analyzer,
        draw_images=draw_images,
        load_zoo_model=load_zoo_model,
    )
    exec(snippet(view), names)  # noqa: S102
    found = names["relevance"][0].sum(-1)
    np.testing.assert_allclose(found, view.chosen.relevance, atol=2e-5)


@pytest.mark.parametrize(
    "question",
    [
        {"image": 99},
        {"image": "../../etc/passwd"},
        {"dataset": "<script>"},
        {"regime": 0.3},
        {"nonsense": 1},
        "nonsense",
    ],
)
def test_a_question_that_is_none_is_refused_in_a_sentence(context, question):
    with pytest.raises(ValueError, match="Expected") as error:
        view_of(context, question)
    assert "\n" not in str(error.value)


def test_portuguese_pages_are_portuguese(service, view):
    html = page_html(view, Words("pt"))
    assert '<html lang="pt">' in html and "não serve para diagnóstico" in html
