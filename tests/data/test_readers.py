"""Readers, on small files in the official layouts."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medattn.data import CARDS, load_dataset
from medattn.data.readers import read_records

pytestmark = pytest.mark.usefixtures("own_cache")


def test_aptos_reads_any_grade_above_zero_as_disease(tmp_path, aptos):
    root = aptos(tmp_path / "aptos")
    parts = {s: load_dataset("aptos2019", split=s, root=root, size=32) for s in SPLITS}
    assert sum(map(len, parts.values())) == 60
    assert sum(part.labels.sum() for part in parts.values()) == 48
    ids = [set(part.ids) for part in parts.values()]
    assert not ids[0] & ids[1] and not ids[0] & ids[2] and not ids[1] & ids[2]
    images, labels, masks = parts["test"].arrays()
    assert images.shape == (len(labels), 32, 32, 3) and masks is None
    image, label = next(iter(parts["test"].batches(4)))
    np.testing.assert_array_equal(np.asarray(image), images[:4])
    np.testing.assert_array_equal(np.asarray(label), labels[:4])


SPLITS = ("train", "validation", "test")


def test_copies_are_left_out_by_default_and_kept_by_the_study_protocol(tmp_path, aptos):
    root = aptos(tmp_path / "aptos")
    first, copy = (root / "train_images" / f"{i:012x}.png" for i in (3, 40))
    with Image.open(first) as image:
        image.resize((80, 60), Image.Resampling.BICUBIC).save(copy)
    assert len(read_records("aptos2019", root).ids) == 59
    study = read_records("aptos2019", root, protocol="study")
    assert len(study.ids) == 60


def test_isic_keeps_patients_in_one_split_and_drops_listed_copies(tmp_path, isic):
    root, table = isic(tmp_path / "isic")
    names = table["image_name"]
    pd.DataFrame(dict(image_name_1=[names[0]], image_name_2=[names[9]])).to_csv(
        root / "ISIC_2020_Training_Duplicates.csv", index=False
    )
    records = read_records("isic2020", root)
    assert len(records.ids) == 79 and names[9] not in records.ids
    for patient in set(records.patients):
        assert len(set(records.splits[records.patients == patient])) == 1
    assert len(set(records.patients[4:8])) == 3  # two have no patient_id
    assert len(read_records("isic2020", root, protocol="study").ids) == 80
    half = load_dataset("isic2020", root=root, regime=0.5, size=32)
    full = load_dataset("isic2020", root=root, size=32)
    assert set(half.ids) < set(full.ids)
    rest = set(full.ids) - set(half.ids)
    owner = dict(zip(full.ids, full.patients, strict=True))
    assert not {owner[i] for i in half.ids} & {owner[i] for i in rest}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (dict(), lambda t: (t.ViewPosition == "AP") & t.finding.isin(["1.0", "0.0"])),
        (
            dict(view="frontal", uncertain="positive"),
            lambda t: (t.ViewPosition != "LATERAL") & (t.finding != ""),
        ),
        (
            dict(negatives="no_finding"),
            lambda t: (
                (t.ViewPosition == "AP")
                & (
                    (t.finding == "1.0")
                    | ((t.healthy == "1.0") & (t.finding != "-1.0"))
                )
            ),
        ),
        (
            dict(negatives="both", view="PA"),
            lambda t: (
                (t.ViewPosition == "PA")
                & (t.finding.isin(["1.0", "0.0"]) | (t.healthy == "1.0"))
            ),
        ),
    ],
)
def test_the_options_of_mimic_select_the_films(tmp_path, options, expected, mimic):
    root, table = mimic(tmp_path / "mimic")
    records = read_records("mimic_cxr_jpg", root, **options)
    wanted = table[expected(table)]
    assert set(records.ids) == set(wanted["dicom_id"])
    positive = {"1.0", "-1.0"} if options.get("uncertain") == "positive" else {"1.0"}
    truth = dict(zip(table.dicom_id, table.finding.isin(positive), strict=True))
    assert [bool(label) for label in records.labels] == [truth[i] for i in records.ids]
    split = dict(zip(table.dicom_id, table.split, strict=True))
    official = {"train": "train", "validate": "validation", "test": "test"}
    assert list(records.splits) == [official[split[i]] for i in records.ids]


def test_the_study_protocol_fixes_the_options_of_mimic(tmp_path, mimic):
    root, _ = mimic(tmp_path / "mimic")
    plain = read_records("mimic_cxr_jpg", root)
    study = read_records("mimic_cxr_jpg", root, protocol="study", view="PA")
    assert study.ids == plain.ids
    own = read_records("mimic_cxr_jpg", root, official_split=False)
    for patient in set(own.patients):
        assert len(set(own.splits[own.patients == patient])) == 1


@pytest.fixture
def mnist(tmp_path, monkeypatch):
    """A small npz of each MedMNIST set, with its own MD5 on the card."""

    def make(name, size=28, sizes=(30, 8, 12)):
        rng = np.random.default_rng(0)
        columns = {}
        for part, n in zip(("train", "val", "test"), sizes, strict=True):
            grey = name in ("pneumoniamnist", "chestmnist")
            shape = (n, size, size) if grey else (n, size, size, 3)
            columns[f"{part}_images"] = rng.integers(0, 256, shape, np.uint8)
            classes = 2 if grey else 5
            width = 14 if name == "chestmnist" else 1
            columns[f"{part}_labels"] = rng.integers(0, classes, (n, width), np.uint8)
        suffix = "" if size == 28 else f"_{size}"
        path = tmp_path / f"{name}{suffix}.npz"
        np.savez(path, **columns)
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        files = CARDS[name].files | {size: CARDS[name].files[size] | {"md5": md5}}
        monkeypatch.setitem(CARDS, name, replace(CARDS[name], files=files))
        return path, columns

    return make


@pytest.mark.parametrize(
    ("name", "positive"),
    [
        ("retinamnist", lambda y: y[:, 0] >= 1),
        ("dermamnist", lambda y: y[:, 0] == 4),
        ("pneumoniamnist", lambda y: y[:, 0] == 1),
        ("chestmnist", lambda y: y[:, 2] == 1),
    ],
)
def test_medmnist_is_read_from_the_npz(mnist, tmp_path, name, positive):
    _, columns = mnist(name, size=64)
    data = load_dataset(name, split="validation", root=tmp_path, size=64)
    np.testing.assert_array_equal(data.labels, positive(columns["val_labels"]))
    images = columns["val_images"]
    if images.ndim == 3:
        images = np.stack([images] * 3, -1)
    np.testing.assert_array_equal(data.arrays().images, images.astype(np.float32) / 255)
    raw = load_dataset(name, split="test", root=tmp_path, size=64, task="as_is")
    expected = columns["test_labels"]
    if expected.shape[1] == 1:
        expected = expected[:, 0]
    np.testing.assert_array_equal(raw.labels, expected)


def test_medmnist_comes_in_four_sizes_whose_md5_the_card_holds(mnist, tmp_path):
    for name in ("retinamnist", "dermamnist", "pneumoniamnist", "chestmnist"):
        assert sorted(CARDS[name].files) == [28, 64, 128, 224]
        assert all(len(file["md5"]) == 32 for file in CARDS[name].files.values())
    with pytest.raises(ValueError, match=r"\[28, 64, 128, 224\].*size=100"):
        load_dataset("retinamnist", root=tmp_path, size=100)
    path, _ = mnist("retinamnist")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ValueError, match="not the published file. Expected MD5"):
        load_dataset("retinamnist", root=tmp_path, size=28)
    with pytest.raises(ValueError, match="There is no file"):
        load_dataset("retinamnist", root=tmp_path / "none", size=28)


def test_medmnist_is_fetched_once_and_only_with_the_right_md5(
    mnist, tmp_path, monkeypatch
):
    """From a file:// address, in place of Zenodo's."""
    path, columns = mnist("pneumoniamnist")
    card = CARDS["pneumoniamnist"]

    def serve(**changes):
        files = card.files | {28: card.files[28] | {"url": path.as_uri()} | changes}
        monkeypatch.setitem(CARDS, "pneumoniamnist", replace(card, files=files))

    serve()
    for _ in range(2):
        data = load_dataset("pneumoniamnist", split="test", size=28)
        np.testing.assert_array_equal(data.labels, columns["test_labels"][:, 0])
        if path.exists():
            content = path.read_bytes()
            path.unlink()  # the second time it comes from the cache
    kept = tmp_path / "cache" / "medmnist" / path.name
    kept.write_bytes(content[:-100])  # as if the download had been interrupted
    with pytest.raises(ValueError, match="could not be fetched.*give root=") as error:
        load_dataset("pneumoniamnist", size=28)
    assert "\n" not in str(error.value)
    path.write_bytes(content)
    assert len(load_dataset("pneumoniamnist", size=28)) == 30
    serve(md5="0" * 32)
    with pytest.raises(ValueError, match="Expected a file with MD5 0000"):
        load_dataset("pneumoniamnist", size=28)


def test_a_folder_of_classes_is_read(tmp_path, picture):
    for kind in ("cats", "dogs"):
        for i in range(20):
            picture(tmp_path / "mine" / kind / f"{i}.png", i)
    data = load_dataset("folder", root=tmp_path / "mine", size=32)
    assert data.card.classes == ("cats", "dogs")
    assert len(data) == 28 and data.labels.sum() == 14


def test_a_table_of_paths_labels_and_patients_is_read(tmp_path, picture):
    root = tmp_path / "mine"
    rows = []
    for i in range(60):
        picture(root / "pictures" / f"{i}.png", i)
        rows.append((f"pictures/{i}.png", "yes" if i // 3 % 2 else "no", f"p{i // 3}"))
    table = pd.DataFrame(rows, columns=["path", "label", "patient"])
    table.to_csv(root / "labels.csv", index=False)
    records = read_records("folder", root)
    assert records.card.classes == ("no", "yes")
    for patient in set(records.patients):
        assert len(set(records.splits[records.patients == patient])) == 1
    table["split"] = ["train", "test", "validation"] * 20
    table.to_csv(root / "labels.csv", index=False)
    assert list(read_records("folder", root).splits) == list(table["split"])


def test_prepared_images_equal_decoded_ones(tmp_path, aptos):
    root = aptos(tmp_path / "aptos")
    data = load_dataset("aptos2019", root=root, size=48)
    assert data.source._shards is None
    before = data.arrays().images
    shards = data.source.prepare()
    assert len(shards) == 60
    again = load_dataset("aptos2019", root=root, size=48)
    assert again.source._shards is not None
    np.testing.assert_array_equal(again.arrays().images, before)
    part = load_dataset("aptos2019", root=root, size=48, regime=0.5)
    positions = [again.ids.index(name) for name in part.ids]
    np.testing.assert_array_equal(part.arrays().images, before[positions])
