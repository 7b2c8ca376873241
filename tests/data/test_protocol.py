"""The study's protocol and the default one, on tables of the real sizes.

The images are absent, so `present` is replaced by one that accepts all; the counts are
those of the cards, and the splits are derived a second time in plain scikit-learn.
"""

from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from medattn.data import CARDS, check, load_dataset
from medattn.data.readers import isic2020
from medattn.data.regimes import study_regime

pytestmark = pytest.mark.usefixtures("own_cache")
SPLITS = ("train", "validation", "test")
# Images and positives of the study's training subsets; None where its logs say none.
SUBSETS = {
    "aptos2019": {0.01: (23, 12), 0.1: (233, 118), 0.5: (1167, 592)},
    "isic2020": {0.01: (195, 3), 0.1: (1959, 34), 0.5: (9796, 170)},
    "mimic_cxr_jpg": {0.01: (612, 444), 0.1: (6120, None), 0.5: (30601, None)},
}


@pytest.fixture
def present(monkeypatch):
    for name in SUBSETS:
        reader = import_module(f"medattn.data.readers.{name}")
        monkeypatch.setattr(
            reader, "present", lambda paths, *_: np.ones(len(paths), bool)
        )


def aptos(root):
    """3,662 photographs, 1,857 with retinopathy."""
    (root / "train_images").mkdir(parents=True)
    grades = np.repeat([0, 1, 2, 3, 4], [1805, 370, 999, 193, 295])
    grades = np.random.default_rng(0).permutation(grades)
    names = [f"{i:012x}" for i in range(3662)]
    table = pd.DataFrame(dict(id_code=names, diagnosis=grades))
    table.to_csv(root / "train.csv", index=False)
    return table.assign(label=(grades > 0).astype(int))


def isic(root):
    """33,126 images of 2,056 patients, 428 of them with one melanoma or more.

    How many images each patient has was never published: here as many as give the
    study's splits their sizes.
    """
    (root / "jpeg" / "train").mkdir(parents=True)
    everyone = np.array([f"IP_{i:07d}" for i in range(0, 2056 * 37, 37)])
    rest, test = train_test_split(everyone, test_size=0.2, random_state=42)
    train, validation = train_test_split(rest, test_size=0.25, random_state=42)
    patient, target = [], []
    groups = (
        (train, 19593, 340, 257),
        (validation, 6568, 117, 86),
        (test, 6965, 127, 85),
    )
    for members, images, positives, sick in groups:
        patient += [members[i % len(members)] for i in range(images)]
        ill = set(np.flatnonzero(np.arange(images) % len(members) < sick)[:positives])
        target += [int(i in ill) for i in range(images)]
    order = np.random.default_rng(0).permutation(len(patient))
    table = pd.DataFrame(
        dict(
            image_name=[f"ISIC_{i:07d}" for i in range(len(order))],
            patient_id=np.array(patient)[order],
            target=np.array(target)[order],
        )
    )
    table.to_csv(root / "train.csv", index=False)
    return table


def mimic(root):
    """62,808 AP films whose report affirms or denies an effusion, among others."""
    (root / "files").mkdir(parents=True)
    parts = []
    rows = (
        *(("train", "AP", "1.0", 44371), ("train", "AP", "0.0", 61202 - 44371)),
        *(("validate", "AP", "1.0", 405), ("validate", "AP", "0.0", 129)),
        *(("test", "AP", "1.0", 861), ("test", "AP", "0.0", 211)),
        *(("train", "AP", "-1.0", 700), ("train", "AP", "", 900)),
        *(("train", "PA", "1.0", 800), ("test", "PA", "0.0", 300)),
        *(("train", "LATERAL", "1.0", 400), ("validate", "LL", "0.0", 90)),
    )
    for split, view, finding, count in rows:
        parts.append(pd.DataFrame(dict(split=split, v=view, f=finding), range(count)))
    table = pd.concat(parts).sample(frac=1, random_state=0).reset_index(drop=True)
    number = table.index.to_numpy()
    table["study_id"] = (50_000_000 + number).astype(str)
    # Five films a patient, of one split and one kind of finding.
    start = {"train": 10_000_000, "validate": 12_000_000, "test": 14_000_000}
    kind = table["f"].map({"1.0": 0, "0.0": 200_000, "-1.0": 400_000, "": 600_000})
    patient = table.groupby(["split", "f"]).cumcount() // 5
    table["subject_id"] = (table["split"].map(start) + kind + patient).astype(str)
    table["dicom_id"] = [f"d{i:06d}" for i in number]
    names = {"f": "Pleural Effusion", "v": "ViewPosition"}
    table = table.rename(columns=names).assign(**{"No Finding": ""})
    for part, columns in (
        ("split", ["dicom_id", "study_id", "subject_id", "split"]),
        ("metadata", ["dicom_id", "ViewPosition"]),
        ("chexpert", ["subject_id", "study_id", "Pleural Effusion", "No Finding"]),
    ):
        path = root / f"mimic-cxr-2.0.0-{part}.csv"
        table[columns].to_csv(path, index=False)
    return table


MAKERS = {"aptos2019": aptos, "isic2020": isic, "mimic_cxr_jpg": mimic}


def about(number):
    """Reads a number of a card, which may be "about 340" or "about 72.5%"."""
    return float(str(number).removeprefix("about ").removesuffix("%"))


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_the_study_splits_and_subsets_have_the_published_counts(
    present, tmp_path, name
):
    MAKERS[name](tmp_path / name)
    found = {
        split: load_dataset(name, split=split, root=tmp_path / name, protocol="study")
        for split in SPLITS
    }
    for split, said in CARDS[name].study.items():
        positives = int(found[split].labels.sum())
        assert len(found[split]) == about(said["images"])
        if "%" in str(said["positives"]):
            assert round(100 * positives / len(found[split]), 1) == 72.5
        else:
            assert positives == about(said["positives"])
    for regime, (images, positives) in SUBSETS[name].items():
        taken = study_regime(found["train"].labels, regime)
        assert len(taken) == images
        assert positives in (None, found["train"].labels[taken].sum())
    one = dict(root=tmp_path / name, protocol="study", regime=0.01)
    small = load_dataset(name, **one)
    assert len(small) == SUBSETS[name][0.01][0] and set(small.ids) < set(
        found["train"].ids
    )
    full = load_dataset(name, split="validation", **one)
    assert len(full) == len(found["validation"])  # as the study did, for 1% too


def test_the_study_splits_of_photographs_match_the_study_code(present, tmp_path):
    """Derived a second time, on names instead of positions, for the subset of 10%."""
    table = aptos(tmp_path / "a")
    names, labels = table["id_code"].to_numpy(), table["label"].to_numpy()
    rest, test, y, _ = train_test_split(
        names, labels, train_size=0.85, stratify=labels, random_state=42
    )
    train, validation, y, _ = train_test_split(
        rest, y, train_size=0.75, stratify=y, random_state=42
    )
    some, _ = train_test_split(train, train_size=0.1, stratify=y, random_state=42)
    load = lambda **o: load_dataset(  # noqa: E731
        "aptos2019", root=tmp_path / "a", protocol="study", **o
    )
    for split, expected in (("validation", validation), ("test", test)):
        assert set(load(split=split).ids) == set(expected)
    for seed in (0, 7):  # the study had one subset
        assert set(load(regime=0.1, seed=seed).ids) == set(some)


def test_the_study_subset_of_moles_matches_the_study_code(present, tmp_path):
    table = isic(tmp_path / "i")
    everyone = np.unique(table["patient_id"])
    rest, _ = train_test_split(everyone, test_size=0.2, random_state=42)
    train, _ = train_test_split(rest, test_size=0.25, random_state=42)
    mine = table[table["patient_id"].isin(train)]
    some, _ = train_test_split(
        mine["image_name"].to_numpy(),
        train_size=0.01,
        stratify=mine["target"],
        random_state=42,
    )
    found = load_dataset("isic2020", root=tmp_path / "i", protocol="study", regime=0.01)
    assert set(found.ids) == set(some)


@pytest.mark.parametrize("name", ["isic2020", "mimic_cxr_jpg"])
def test_the_default_protocol_keeps_patients_together_and_nests_subsets(
    present, tmp_path, name
):
    table = MAKERS[name](tmp_path / name)
    column = "patient_id" if name == "isic2020" else "subject_id"
    key = "image_name" if name == "isic2020" else "dicom_id"
    owner = dict(zip(table[key], table[column], strict=True))
    load = lambda **o: load_dataset(name, root=tmp_path / name, **o)  # noqa: E731
    parts = {split: load(split=split) for split in SPLITS}
    patients = {split: {owner[i] for i in part.ids} for split, part in parts.items()}
    assert not patients["train"] & patients["validation"]
    assert not (patients["train"] | patients["validation"]) & patients["test"]
    inner = None
    for regime in (0.01, 0.1, 0.5):
        part = load(regime=regime, seed=3)
        mine = {owner[i] for i in part.ids}
        fraction = len(mine) / len(patients["train"])
        assert fraction == pytest.approx(regime, abs=0.002)
        assert {i for i in parts["train"].ids if owner[i] in mine} == set(part.ids)
        assert inner is None or inner < set(part.ids)
        inner = set(part.ids)
        assert part.labels.sum() >= 2 and (part.labels == 0).sum() >= 2
    few = load(split="validation", regime=0.01, seed=3)
    assert 20 <= len(few) < 0.2 * len(parts["validation"])
    assert min(few.labels.sum(), (few.labels == 0).sum()) >= 2
    assert load(split="test", regime=0.01).ids == parts["test"].ids


@pytest.mark.parametrize("name", ["aptos2019", "isic2020"])
def test_check_finds_the_card_counts_in_tables_of_the_real_size(
    monkeypatch, present, tmp_path, name
):
    """Also where the official list of copies lies beside the table."""
    root, card = tmp_path / name, CARDS[name]
    table = MAKERS[name](root)
    monkeypatch.setattr(check, "_check_images", lambda *_: None)
    if name == "isic2020":
        names = table["image_name"]
        pairs = dict(image_name_1=names[:425], image_name_2=names[1000:1425].to_list())
        pd.DataFrame(pairs).to_csv(root / isic2020.DUPLICATES, index=False)
    report = check.check_dataset(name, root)
    assert not report.faults
    assert {what: report.totals[what] for what in card.counts} == card.counts
    kept = len(table) - (425 if name == "isic2020" else 0)
    assert sum(images for _, images, _, _ in report.counts) == kept
    table.iloc[:-1].to_csv(root / "train.csv", index=False)
    found = {sentence for _, sentence in check.check_dataset(name, root).faults}
    assert any(f"Expected {len(table):,} by its card" in one for one in found)


def test_a_regime_that_leaves_the_study_too_few_images_is_refused():
    labels = np.array([0] * 960 + [1] * 40)
    with pytest.raises(ValueError, match=r"images of class 1.*leaves 0 of 40"):
        study_regime(labels, 0.01)
    with pytest.raises(ValueError, match=r"leaves 0 of"):
        study_regime(labels, 0.001)
    assert len(study_regime(labels, 1)) == 1000
