"""Cards: one source, and nothing in them that the loader does not find."""

import json
from pathlib import Path

import pytest
import yaml

from medattn.data import CARDS, list_datasets, load_dataset
from medattn.data.cards import read_card
from medattn.data.cards.render import croissant, front_matter, markdown
from medattn.data.readers import READERS
from medattn.data.synthetic import DOMAINS

FOLDER = Path(__file__).parents[2] / "data_cards"
every_card = pytest.mark.parametrize("name", sorted(CARDS))


def test_every_loader_has_a_card_and_every_card_a_loader():
    assert set(CARDS) == set(READERS) | set(DOMAINS) == set(list_datasets())


@every_card
def test_what_is_rendered_is_what_the_source_says(name):
    picture = f"{name}.png" if name in DOMAINS else None
    text = (FOLDER / f"{name}.md").read_text()
    assert text == markdown(CARDS[name], picture=picture)
    assert json.loads((FOLDER / f"{name}.json").read_text()) == croissant(CARDS[name])
    if picture:
        assert 20_000 < (FOLDER / picture).stat().st_size < 1_000_000


@every_card
def test_the_head_is_the_yaml_that_the_hub_reads(name):
    text = markdown(CARDS[name])
    head = yaml.safe_load(text.split("---\n")[1])
    assert head == front_matter(CARDS[name])
    assert head["task_categories"] == ["image-classification"]
    assert {"license", "pretty_name", "annotations_creators"} <= set(head)
    if head["license"] == "other":
        assert head["license_name"]
        assert head.get("license_link") or name == "folder"


@every_card
def test_croissant_finds_no_error_in_it(name, tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant")
    path = tmp_path / "croissant.json"
    path.write_text(json.dumps(croissant(CARDS[name])))
    metadata = mlcroissant.Dataset(jsonld=path).metadata
    assert not metadata.ctx.issues.errors
    assert metadata.name == name
    assert metadata.data_limitations and metadata.data_use_cases


@every_card
def test_a_card_says_what_it_must_not_be_used_for(name):
    text = markdown(CARDS[name])
    assert "not for diagnosis" in text.lower()
    assert CARDS[name].label["positive"] and CARDS[name].access["steps"]


def test_the_restrictions_of_mimic_are_loud():
    card = CARDS["mimic_cxr_jpg"]
    text = markdown(card)
    start = text.split("---\n")[2][:600]
    assert "CREDENTIALED" in start and "nothing derived from it may be shipped" in start
    assert front_matter(card)["extra_gated_prompt"]
    assert "CREDENTIALED" in croissant(card)["description"]
    assert not (FOLDER / "mimic_cxr_jpg.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_every_number_of_a_drawn_set_is_what_the_loader_finds(name):
    card = CARDS[name]
    for split, size in card.sizes.items():
        found = load_dataset(name, split=split)
        assert len(found) == size
        assert round(float(found.labels.mean()), 4) == card.prevalence[split]


def test_a_card_with_a_wrong_field_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("name: x\nsizze: 3\n")
    with pytest.raises(ValueError, match="x.yaml is not a data card"):
        read_card(path)
