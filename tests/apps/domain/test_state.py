"""A link opens the question that it holds; a wrong link never breaks the page."""

import pytest

from medattn_app.domain.constants import HIDEABLE
from medattn_app.domain.state import Question, read_query, read_question, write_query


def test_a_question_survives_its_link():
    asked = Question(
        dataset="chest", image=3, backbone="DenseNet", attention="SE", regime=0.1,
        method="deep_lift.rescale", reference="blur", hide=("method", "more"),
        lang="pt", tab="doubt",
    )  # fmt: skip
    from urllib.parse import parse_qsl

    link = write_query(asked)
    assert read_query(dict(parse_qsl(link))) == (asked, [])


def test_the_default_question_has_an_empty_link():
    assert write_query(Question()) == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dataset", "../../etc/passwd"),
        ("image", "-1"),
        ("image", "99999999999999999999"),
        ("image", "１"),  # a digit of another script
        ("regime", "nan"),
        ("regime", "0.2"),
        ("method", "<script>alert(1)</script>"),
        ("hide", "everything"),
        ("lang", "english"),
        ("seed", "1e9"),
        ("attention", "x" * 100_000),
    ],
)
def test_a_wrong_value_is_left_out_with_a_short_sentence_and_the_rest_stays(name, text):
    question, refused = read_query({"backbone": "DenseNet", name: text})
    assert question == Question(backbone="DenseNet")
    assert len(refused) == 1 and name in refused[0] and len(refused[0]) < 900


def test_parameters_of_others_in_the_link_are_ignored():
    assert read_query({"__theme": "dark", "utm": "x"}) == (Question(), [])


@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        {"nonsense": 1},
        {"image": "0"},
        {"image": True},
        {"dataset": ["fundus"]},
        {"regime": {"$gt": 0}},
        {"hide": "all"},
        {"hide": ["grid"] * 41},
        {"lang": 7},
    ],
)
def test_an_invalid_question_is_refused_in_three_parts(fields):
    with pytest.raises(ValueError, match="Received: "):
        read_question(fields)


def test_everything_a_teacher_may_hide_is_known_to_the_page():
    from pathlib import Path

    import medattn_app
    from medattn_app.domain.constants import CONTROLS, PARTS, TABS

    here = Path(medattn_app.__file__).parent
    style = (here / "tabs/explore/explore.css").read_text("utf-8")
    assert all(f".mx-no-{name} " in style for name in (*CONTROLS, *PARTS))
    assert set(HIDEABLE) == {*CONTROLS, *PARTS, *TABS}  # tabs are hidden by their id
