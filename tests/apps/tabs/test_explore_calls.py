"""The calls of the page, made as the page makes them, and by others."""

import json

import pytest

from medattn_app.domain.texts import Words
from medattn_app.service.context import Context
from medattn_app.tabs.explore.calls import ExploreCalls
from medattn_app.tabs.explore.tab import CALLS, answer_every_call

FIRST = {"dataset": "fundus", "image": 0, "backbone": "ResNet", "attention": "CBAM"}


@pytest.fixture(scope="module")
def calls(service):
    return ExploreCalls(Context(service=service, words=Words()))


def test_the_grid_fills_and_sends_each_cell_once(calls):
    asked = {"question": FIRST}
    reply = calls.answer(asked)
    assert reply["id"] == "ResNet|CBAM|1" and reply["cell"]["map"]
    assert reply["missing"]
    cells, missing = dict(reply["cells"]), reply["missing"]
    for _ in range(40):
        if not missing:
            break
        more = calls.fill(asked | {"group": reply["group"], "have": list(cells)})
        assert not set(more["cells"]) & set(cells)
        cells |= more["cells"]
        missing = more["missing"]
    shown = [id for row in reply["grid"]["rows"] for id in row["cells"] if id]
    assert set(cells) == set(shown) and len(shown) >= 12
    # Another image has other maps: nothing is held back.
    other = calls.answer(
        {"question": FIRST | {"image": 1}, "group": reply["group"], "have": list(cells)}
    )
    assert other["group"] != reply["group"] and "ResNet|CBAM|1" in other["cells"]


def test_the_sentence_follows_what_was_changed(calls):
    plain = calls.answer({"question": FIRST})["change"]
    assert plain.startswith("CBAM instead of no attention: P(diseased) ")
    few = {"question": FIRST | {"regime": 0.01}, "previous": "ResNet|CBAM|1"}
    said = calls.answer(few)["change"]
    assert said.startswith("1 % instead of 100 %: P(diseased) ")
    assert "relevance inside the evidence" in said


def test_the_same_question_in_portuguese(calls):
    said = calls.answer({"question": FIRST | {"lang": "pt"}})["change"]
    assert said.startswith("CBAM em vez de nenhuma atenção")


def test_every_reply_is_plain_json(calls):
    for name in ("picture", "answer", "fill", "conclude", "gates"):
        json.dumps(getattr(calls, name)({"question": FIRST}), allow_nan=False)
    assert len(calls.strip({"dataset": "fundus"})["images"]) == 8


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "payload",
    [None, 7, [], {}, {"question": 1}, {"question": FIRST | {"image": 10**9}},
     {"question": FIRST, "uploaded": "guessed"},
     {"question": FIRST, "uploaded": {"a": 1}},
     {"dataset": "../.."}, {"dataset": ["fundus"]}],
)  # fmt: skip
def test_nonsense_is_answered_with_a_sentence(calls, name, payload):
    reply = answer_every_call(getattr(calls, name), Words())(payload)
    if name == "strip" or not (payload and isinstance(payload, dict)):
        assert "error" in reply
    if "error" in reply:
        assert "Traceback" not in reply["error"] and len(reply["error"]) < 600


def test_an_uploaded_image_is_found_by_its_key_only(calls, tmp_path):
    from PIL import Image

    Image.new("RGB", (80, 80), (200, 90, 60)).save(tmp_path / "mine.png")
    key = calls.receive(tmp_path / "mine.png", FIRST)["uploaded"]
    reply = calls.answer({"question": FIRST, "uploaded": key})
    assert reply["caution"] and "baselines" not in reply
    picture = calls.picture({"question": FIRST, "uploaded": key})
    assert picture["truth"] == "nobody knows" and picture["known"] is False
    with pytest.raises(ValueError, match="no longer kept"):
        calls.case(None, key[:-1])


def test_an_upload_is_answered_as_the_calls_of_the_page_would_be(calls, tmp_path):
    from PIL import Image

    Image.new("RGB", (80, 80), (90, 200, 60)).save(tmp_path / "mine.png")
    question = FIRST | {"attention": "SE", "lang": "pt"}
    sent = calls.receive(tmp_path / "mine.png", question)
    payload = {"question": question, "uploaded": sent["uploaded"]}
    assert sent["picture"] == calls.picture(payload)
    # What of the grid is known grows from one answer to the next.
    grows = {"cells", "missing", "scale"}
    again = calls.answer(payload)
    assert sent["answer"].keys() == again.keys() > grows
    for name in again.keys() - grows:
        assert sent["answer"][name] == again[name]


@pytest.mark.parametrize("given", [None, [1], {"dataset": "nowhere"}, {"seed": 99}])
def test_an_upload_with_a_question_without_an_answer_is_kept(calls, tmp_path, given):
    from PIL import Image

    Image.new("RGB", (80, 80), (90, 60, 200)).save(tmp_path / "mine.png")
    sent = calls.receive(tmp_path / "mine.png", given)
    assert ("answer" in sent) == (not isinstance(given, dict))
    assert calls.case(None, sent["uploaded"]).label is None
