"""Cards: one source for all files, and facts that match the loader."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from medattn.data import CARDS, list_datasets, load_dataset
from medattn.data.cards import read_card
from medattn.data.cards.render import (
    croissant,
    croissant_text,
    front_matter,
    markdown,
    picture,
    write_cards,
)
from medattn.data.check import check_dataset
from medattn.data.readers import READERS, medmnist
from medattn.data.splits import FRACTIONS
from medattn.data.synthetic import DOMAINS
from medattn.data.synthetic.dataset import SEED
from medattn.data.synthetic.dermoscopy.sampling import BENIGN_BELOW, MALIGNANT_ABOVE

FOLDER = Path(__file__).parents[2] / "data_cards"
every_card = pytest.mark.parametrize("name", sorted(CARDS))


def test_every_loader_has_a_card_and_every_card_a_loader():
    assert set(CARDS) == set(READERS) | set(DOMAINS) == set(list_datasets())


@every_card
def test_the_rendered_files_match_the_cards(name):
    sheet = f"{name}.png" if name in DOMAINS else None
    assert (FOLDER / f"{name}.md").read_text() == markdown(CARDS[name], picture=sheet)
    assert (FOLDER / f"{name}.json").read_text() == croissant_text(CARDS[name])
    assert json.loads(croissant_text(CARDS[name])) == croissant(CARDS[name])


@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_the_contact_sheet_shows_the_first_test_images(name):
    with Image.open(FOLDER / f"{name}.png") as sheet:
        np.testing.assert_array_equal(np.asarray(sheet), picture(CARDS[name]))
    assert (FOLDER / f"{name}.png").stat().st_size < 1_000_000


def test_one_command_writes_every_file_of_the_folder(monkeypatch, tmp_path):
    sheet = np.zeros((4, 6, 3), np.uint8)
    monkeypatch.setattr("medattn.data.cards.render.picture", lambda card: sheet)
    written = write_cards(tmp_path / "cards")
    assert {path.name for path in written} == {p.name for p in FOLDER.iterdir()}
    for path in written:
        assert path.suffix == ".png" or (
            path.read_text() == (FOLDER / path.name).read_text()
        )


@every_card
def test_the_front_matter_is_yaml_for_the_hub(name):
    text = markdown(CARDS[name])
    head = yaml.safe_load(text.split("---\n")[1])
    assert head == front_matter(CARDS[name])
    assert head["task_categories"] == ["image-classification"]
    assert {"license", "pretty_name", "annotations_creators"} <= set(head)
    if head["license"] == "other":
        assert head["license_name"]
        assert head.get("license_link") or name == "folder"


@every_card
def test_the_croissant_file_is_valid(name, tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant")
    path = tmp_path / "croissant.json"
    path.write_text(json.dumps(croissant(CARDS[name])))
    metadata = mlcroissant.Dataset(jsonld=path).metadata
    assert not metadata.ctx.issues.errors
    assert metadata.name == name
    assert metadata.data_limitations and metadata.data_use_cases


@every_card
def test_a_card_names_the_uses_that_it_excludes(name):
    text = markdown(CARDS[name])
    assert "not for diagnosis" in text.lower()
    assert CARDS[name].label["positive"] and CARDS[name].access["steps"]


def test_the_restrictions_of_mimic_come_first():
    card = CARDS["mimic_cxr_jpg"]
    text = markdown(card)
    start = text.split("---\n")[2][:600]
    assert "CREDENTIALED" in start and "nothing derived from it may be shipped" in start
    assert front_matter(card)["extra_gated_prompt"]
    assert "CREDENTIALED" in croissant(card)["description"]
    assert not (FOLDER / "mimic_cxr_jpg.png").exists()


def fraction(part, total):
    """A fraction as cards write it: 0.803, 80.3%, 1.8%."""
    return {f"{part / total:.3f}", f"{100 * part / total:.1f}%"}


def known_numbers(card):
    """Every number that is in the card's facts or in constants of the code."""
    of_splits = [n for split in card.study.values() for n in split.values()]
    found = {*card.sizes.values(), sum(card.sizes.values()), *card.counts.values()}
    found |= {SEED, *card.files, *(n for n in of_splits if isinstance(n, int))}
    found |= set(card.prevalence.values()) | {BENIGN_BELOW, MALIGNANT_ABOVE}
    found = {f"{n:,}" for n in found} | {f"{n}" for n in found}
    found |= {str(n).removeprefix("about ") for n in of_splits}
    if card.name == "isic2020":
        found |= fraction(584, 33126) | fraction(6965 - 127, 6965)
    if card.name == "mimic_cxr_jpg":
        found |= fraction(861, 1072)
    return found | ELSEWHERE.get(card.name, set())


# Numbers of the publishers that no file read here could hold.
ELSEWHERE = {
    "aptos2019": {"1,928", "2019"},  # test images without labels
    "dermoscopy": {
        "1.3",
        "0.1",
        "0.5",
    },  # weights of the score
    "isic2020": {"2020"},
    "mimic_cxr_jpg": {"2.1", "1.5", "2,414", "2011", "2016"},  # version, years, studies
    **dict.fromkeys(
        ("chestmnist", "dermamnist", "pneumoniamnist", "retinamnist"), {"3.0"}
    ),
}


@every_card
def test_every_number_in_the_text_of_a_card_is_known(name):
    """Numbers of three digits or more, fractions and percentages; prose included."""
    text = markdown(CARDS[name]).split("---\n", 2)[2]
    for end in ("\n## Hashes", "\n## Files", "\n## Citation"):
        text = text.split(end)[0]
    numbers = re.findall(r"(?<![\w.,-])\d[\d,]*(?:\.\d+)?%?", text)
    numbers = {n.rstrip(",") for n in numbers}
    assert {n for n in numbers if len(n) > 2} <= known_numbers(CARDS[name])
    if "derived, 70" in text:
        assert list(FRACTIONS.values()) == [0.7, 0.1, 0.2]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_every_number_of_a_synthetic_card_matches_the_loader(name):
    card = CARDS[name]
    for split, size in card.sizes.items():
        found = load_dataset(name, split=split)
        assert len(found) == size
        assert round(float(found.labels.mean()), 4) == card.prevalence[split]


@pytest.mark.parametrize(
    "name",
    [
        *("retinamnist", "dermamnist", "pneumoniamnist"),
        pytest.param("chestmnist", marks=pytest.mark.slow),
    ],
)
def test_check_finds_the_cards_numbers_in_an_npz_of_that_size(
    monkeypatch, tmp_path, name
):
    card, sizes = CARDS[name], [*CARDS[name].sizes.values()]

    def write(sizes):
        columns = {}
        for part, n in zip(medmnist.PARTS, sizes, strict=True):
            columns[f"{part}_images"] = np.zeros((n, 28, 28), np.uint8)
            columns[f"{part}_labels"] = np.zeros((n, 14), np.uint8)
            columns[f"{part}_labels"][::2] = 4 if name == "dermamnist" else 1
        path = tmp_path / f"{name}.npz"
        np.savez(path, **columns)
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        files = card.files | {28: card.files[28] | {"md5": md5}}
        monkeypatch.setitem(CARDS, name, replace(card, files=files))
        return check_dataset(name, tmp_path, size=28)

    report = write(sizes)
    assert [n for _, n, _, _ in report.counts] == sizes and not report.faults
    found = write([sizes[0] - 1, *sizes[1:]]).faults
    assert [kind for kind, _ in found] == ["count"]
    assert f"Expected {sizes[0]:,}" in found[0][1]


def test_a_card_with_a_wrong_field_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("name: x\nsizze: 3\n")
    with pytest.raises(ValueError, match="x.yaml is not a data card"):
        read_card(path)
