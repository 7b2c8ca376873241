"""Readers, on small files in the official layouts."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medattn.data import CARDS, load_dataset
from medattn.data.readers import read_records
from medattn.data.splits import study_by_image, study_by_patient


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MEDATTN_CACHE", str(tmp_path / "cache"))


def picture(path, seed, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    small.resize(size, Image.Resampling.BICUBIC).save(path)


def aptos(root, count=60):
    grades = np.arange(count) % 5
    names = [f"{i:012x}" for i in range(count)]
    root.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(dict(id_code=names, diagnosis=grades)).to_csv(
        root / "train.csv", index=False
    )
    for seed, name in enumerate(names):
        picture(root / "train_images" / f"{name}.png", seed)
    return root


def isic(root, count=80):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        dict(
            image_name=[f"ISIC_{i:07d}" for i in range(count)],
            patient_id=[f"IP_{i // 4:07d}" for i in range(count)],
            sex="",
            age_approx="",
            anatom_site_general_challenge="torso",
            diagnosis="unknown",
            benign_malignant="",
            target=(rng.random(count) < 0.3).astype(int),
        )
    )
    table.loc[[5, 6], "patient_id"] = ""
    root.mkdir(parents=True, exist_ok=True)
    table.to_csv(root / "train.csv", index=False)
    for seed, name in enumerate(table["image_name"]):
        picture(root / "jpeg" / "train" / f"{name}.jpg", seed)
    return root, table


def mimic(root, count=48):
    rows = []
    effusion = ["1.0", "0.0", "-1.0", ""]
    for i in range(count):
        subject, study = str(10_000_000 + i // 2), str(50_000_000 + i)
        rows.append(
            dict(
                subject_id=subject,
                study_id=study,
                dicom_id=f"d{i:04d}",
                ViewPosition=["AP", "AP", "PA", "LATERAL"][i // 4 % 4],
                split=["train", "train", "validate", "test"][i // 16 % 4]
                if i < 32
                else "test",
                finding=effusion[i % 4],
                healthy="1.0" if i % 8 == 3 else "",
            )
        )
    table = pd.DataFrame(rows)
    root.mkdir(parents=True, exist_ok=True)
    stem = "mimic-cxr-2.0.0-"
    labels = table[["subject_id", "study_id", "finding", "healthy"]]
    labels.columns = ["subject_id", "study_id", "Pleural Effusion", "No Finding"]
    labels.to_csv(root / f"{stem}chexpert.csv.gz", index=False)
    table[["dicom_id", "ViewPosition"]].to_csv(
        root / f"{stem}metadata.csv.gz", index=False
    )
    table[["dicom_id", "study_id", "subject_id", "split"]].to_csv(
        root / f"{stem}split.csv.gz", index=False
    )
    for i, row in table.iterrows():
        folder = root / "files" / f"p{row.subject_id[:2]}" / f"p{row.subject_id}"
        picture(folder / f"s{row.study_id}" / f"{row.dicom_id}.jpg", i)
    return root, table


def test_aptos_reads_any_grade_above_zero_as_disease(tmp_path):
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


def test_copies_of_an_image_are_left_out_by_default_and_kept_by_the_study(tmp_path):
    root = aptos(tmp_path / "aptos")
    first, copy = (root / "train_images" / f"{i:012x}.png" for i in (3, 40))
    with Image.open(first) as image:
        image.resize((80, 60), Image.Resampling.BICUBIC).save(copy)
    assert len(read_records("aptos2019", root).ids) == 59
    study = read_records("aptos2019", root, protocol="study")
    assert len(study.ids) == 60


def test_the_studys_split_of_aptos_has_its_sizes_and_positives():
    labels = np.array([0] * 1805 + [1] * 1857)
    splits = study_by_image(np.random.default_rng(0).permutation(labels))
    assert len(splits) == 3662
    labels = np.random.default_rng(0).permutation(labels)
    for split, said in CARDS["aptos2019"].study.items():
        assert (splits == split).sum() == said["images"]
        assert labels[splits == split].sum() == said["positives"]


def test_the_studys_regimes_of_aptos_have_its_sizes():
    from sklearn.model_selection import train_test_split

    labels = np.array([0] * (2334 - 1184) + [1] * 1184)
    for share, n, positives in ((0.01, 23, 12), (0.1, 233, 118), (0.5, 1167, 592)):
        taken, _ = train_test_split(
            labels, train_size=share, stratify=labels, random_state=42
        )
        assert (len(taken), taken.sum()) == (n, positives)


def test_the_studys_split_of_isic_is_by_patient():
    """2,056 patients: 80/20, then 75/25, as many as the study's fractions give."""
    patients = np.repeat([f"IP_{i:07d}" for i in range(2056)], 16)
    splits = study_by_patient(patients)
    owners = {s: set(patients[splits == s]) for s in SPLITS}
    assert {s: len(p) for s, p in owners.items()} == dict(
        train=1233, validation=411, test=412
    )
    assert not owners["train"] & owners["test"]


def test_isic_keeps_patients_in_one_split_and_drops_listed_copies(tmp_path):
    root, table = isic(tmp_path / "isic")
    names = table["image_name"]
    pd.DataFrame(dict(image_name_1=[names[0]], image_name_2=[names[9]])).to_csv(
        root / "ISIC_2020_Training_Duplicates.csv", index=False
    )
    records = read_records("isic2020", root)
    assert len(records.ids) == 79 and names[9] not in records.ids
    for patient in set(records.patients):
        assert len(set(records.splits[records.patients == patient])) == 1
    assert len(set(records.patients[4:8])) == 3  # two nameless ones stand alone
    assert len(read_records("isic2020", root, protocol="study").ids) == 80
    half = load_dataset("isic2020", root=root, regime=0.5, size=32)
    whole = load_dataset("isic2020", root=root, size=32)
    assert set(half.ids) < set(whole.ids)
    rest = set(whole.ids) - set(half.ids)
    owner = dict(zip(whole.ids, whole.patients, strict=True))
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
def test_mimic_takes_the_films_that_its_options_ask_for(tmp_path, options, expected):
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


def test_the_studys_rule_for_mimic_fixes_the_options(tmp_path):
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
def test_medmnist_is_read_straight_from_the_npz(mnist, tmp_path, name, positive):
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


def test_a_folder_of_classes_is_a_data_set(tmp_path):
    for kind in ("cats", "dogs"):
        for i in range(20):
            picture(tmp_path / "mine" / kind / f"{i}.png", i)
    data = load_dataset("folder", root=tmp_path / "mine", size=32)
    assert data.card.classes == ("cats", "dogs")
    assert len(data) == 28 and data.labels.sum() == 14


def test_a_table_of_paths_labels_and_patients_is_a_data_set(tmp_path):
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


def test_prepared_images_are_those_that_would_be_decoded(tmp_path):
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
    places = [again.ids.index(name) for name in part.ids]
    np.testing.assert_array_equal(part.arrays().images, before[places])


# What goes wrong with files, and what is said of it.


def break_column(root):
    (root / "train.csv").write_text("id_code,grade\na,1\n")
    return r"train\.csv, row 1 lacks the column 'diagnosis'. Expected"


def break_label(root):
    text = (root / "train.csv").read_text().splitlines()
    text[7] = text[7].split(",")[0] + ",severe"
    (root / "train.csv").write_text("\n".join(text))
    return r"train\.csv, row 8: unknown diagnosis 'severe'. Expected one of"


def break_image(root):
    (root / "train_images" / f"{4:012x}.png").unlink()
    return r"train\.csv, row 6: the image .*000000000004\.png is named but absent"


def break_png(root):
    path = root / "train_images" / f"{4:012x}.png"
    path.write_bytes(path.read_bytes()[:300])
    return r"000000000004\.png.* is damaged"


def break_root(root):
    for path in root.glob("*.csv"):
        path.unlink()
    return r"does not look like aptos2019: its table is not there. Expected train\.csv"


def break_class(root):
    table = pd.read_csv(root / "train.csv")
    table[table["diagnosis"] > 0].to_csv(root / "train.csv", index=False)
    return "has no image of class 'no retinopathy'"


def break_table(root):
    (root / "train.csv").write_text("")
    return r"train\.csv is not a table"


@pytest.mark.parametrize(
    "breaking",
    [
        *(break_column, break_label, break_image, break_png, break_root),
        *(break_class, break_table),
    ],
)
def test_bad_files_are_answered_in_one_sentence(tmp_path, breaking):
    root = aptos(tmp_path / "aptos")
    said = breaking(root)
    with pytest.raises(ValueError, match=said) as error:
        load_dataset("aptos2019", root=root, size=32)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(name="isic2020"), "Expected root=.*Download from"),
        (dict(name="mimic_cxr_jpg", root="/nowhere"), "There is no folder"),
        (dict(name="aptos2019", root=".", protocol="paper"), "no protocol 'paper'"),
        (dict(name="aptos2019", root=".", view="AP"), "no option 'view'"),
        (dict(name="aptos2019", root=".", split="val"), "Unknown split 'val'"),
        (dict(name="mimic_cxr_jpg", root=".", view="LL"), "Unknown view 'LL'"),
    ],
)
def test_what_cannot_be_loaded_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        load_dataset(**options)


def test_a_truncated_table_of_mimic_is_refused(tmp_path):
    root, _ = mimic(tmp_path / "mimic")
    path = root / "mimic-cxr-2.0.0-chexpert.csv.gz"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match="chexpert.csv.gz cannot be read"):
        load_dataset("mimic_cxr_jpg", root=root)


def test_an_empty_folder_of_a_class_is_refused(tmp_path):
    picture(tmp_path / "mine" / "cats" / "1.png", 1)
    (tmp_path / "mine" / "dogs").mkdir()
    with pytest.raises(ValueError, match="dogs holds no image"):
        load_dataset("folder", root=tmp_path / "mine")


def test_too_few_positives_are_refused_with_their_number(tmp_path):
    root, _ = isic(tmp_path / "isic")
    with pytest.raises(ValueError, match="patients of class 0.*which leaves 0 of 6"):
        load_dataset("isic2020", root=root, regime=0.01)


def test_check_lists_all_faults_at_once(tmp_path):
    from medattn.data.check import check_dataset, table

    root = aptos(tmp_path / "aptos")
    break_label(root), break_image(root)
    path = root / "train_images" / f"{20:012x}.png"
    path.write_bytes(path.read_bytes()[:300])
    copy = root / "train_images" / f"{30:012x}.png"
    copy.write_bytes((root / "train_images" / f"{31:012x}.png").read_bytes())
    report = check_dataset("aptos2019", root)
    kinds = sorted(kind for kind, _ in report.faults)
    assert kinds == sorted(
        ["broken image", "count", "duplicate", "missing image", "unknown label"]
    )
    text = table(report)
    for said in ("row 8", "row 6", f"{20:012x}", f"{30:012x}.png, {31:012x}.png"):
        assert said in text
    assert "58" in text and "Expected 3,662" in text


def test_check_says_so_if_nothing_can_be_read(tmp_path):
    from medattn.data.check import check_dataset

    report = check_dataset("isic2020", tmp_path)
    assert [kind for kind, _ in report.faults] == ["unreadable"]
    with pytest.raises(ValueError, match="is drawn"):
        check_dataset("fundus", tmp_path)
