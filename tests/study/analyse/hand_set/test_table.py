"""The table of maps of networks set by hand."""

import numpy as np
import pytest

from medattn.explain import create_analyzer, list_analyzers
from medattn.study import read_results
from medattn.study.analyse.hand_set import table
from medattn.study.analyse.hand_set.networks import (
    HAND_SET,
    create_hand_set,
    hand_set_images,
)
from medattn.study.analyse.hand_set.used import used_pixels

NAME = "dermoscopy_colours"


@pytest.fixture(scope="module", autouse=True)
def few_images():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "DRAWN", 60)
        yield


@pytest.fixture(scope="module")
def rows(few_images):
    found = table.score_hand_set(
        NAME, images=4, analyzers=["gradient", "attention.rollout"]
    )
    return {row["map"]: row for row in found}


def test_a_map_made_of_the_paths_lies_on_what_is_used(rows):
    paths = rows[table.PATHS]
    assert [paths[f"used_{key}"] for key in table.MEASURES] == [1, 1, 1, 1]
    assert paths["evidence_mass"] < 1 and paths["images"] == 4


def test_the_fraction_in_use_is_that_of_plain_numpy(rows):
    model, drawn = create_hand_set(NAME), hand_set_images(NAME, table.DRAWN)
    chosen, strength = table.explained(model, drawn, 4)
    images = drawn["image"][chosen]
    assert (drawn["label"][chosen] == 1).all()
    np.testing.assert_array_equal(strength > 0, used_pixels(model, images))
    analyzer = create_analyzer("gradient", model, neuron_selection_mode="index")
    sizes = np.abs(np.asarray(analyzer.analyze(images, 1)).sum(-1))
    for key, mask in (("used", strength > 0), ("evidence", drawn["evidence"][chosen])):
        fractions = (sizes * mask).sum((1, 2)) / sizes.sum((1, 2))
        assert rows["gradient"][f"{key}_mass"] == pytest.approx(fractions.mean())


def test_an_analyzer_that_cannot_explain_it_says_so(rows):
    refused = rows["attention.rollout"]
    assert "Expected a model with attention between tokens" in refused["refusal"]
    assert refused["used_mass"] is None and refused["images"] is None


def test_noise_puts_on_the_used_pixels_what_their_area_is(rows):
    noise = rows[table.RANDOM]
    assert noise["used_mass"] == pytest.approx(noise["used_area"], abs=0.01)


def test_what_is_written_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "HAND_SET", {NAME: HAND_SET[NAME]})
    monkeypatch.setattr(table, "SHOWN", ("gradient", "attention.rollout"))
    monkeypatch.setattr(
        table, "score_hand_set", lambda name, images: [example_row(name, images)]
    )
    told = []
    table.write_hand_set(tmp_path / "new", images=3, report=told.append)
    assert told == [NAME]
    (row,) = table.read_hand_set(tmp_path / "new")
    assert row == example_row(NAME, 3) | {"used_mass": None}
    (example,) = table.read_examples(tmp_path / "new").values()
    assert sorted(example) == ["evidence", "gradient", "position", "used"]
    assert np.abs(example["gradient"])[~example["used"]].max() == 0


def example_row(name, images):
    numbers = dict.fromkeys(table.COLUMNS, 0.25) | {"used_mass": float("nan")}
    texts = dict.fromkeys(table.TEXT, "") | {"network": name}
    return numbers | texts | {"images": images}


def test_nothing_is_read_where_nothing_lies(tmp_path):
    assert table.read_hand_set(tmp_path) == [] and table.read_examples(tmp_path) == {}


def test_the_shipped_table_holds_every_network_and_analyzer():
    rows = table.read_hand_set()
    titles = [table.PATHS, table.RANDOM, table.EDGES, *list_analyzers()]
    assert [(row["network"], row["map"]) for row in rows] == [
        (name, title) for name in HAND_SET for title in titles
    ]
    assert all(bool(row["refusal"]) == (row["used_mass"] is None) for row in rows)
    assert min(row["auroc"] for row in rows) > 0.8
    assert list(table.read_examples()) == list(HAND_SET)


def test_the_shipped_table_is_not_taken_for_a_study():
    assert {row["study"] for row in read_results()}.isdisjoint({"maps", "hand_set"})
