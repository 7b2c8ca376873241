"""Small files in the official layouts, for the tests of readers and of `check`."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MEDATTN_CACHE", str(tmp_path / "cache"))


def make_picture(path, seed, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    small.resize(size, Image.Resampling.BICUBIC).save(path)


def make_aptos(root, count=60):
    grades = np.arange(count) % 5
    names = [f"{i:012x}" for i in range(count)]
    root.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(dict(id_code=names, diagnosis=grades)).to_csv(
        root / "train.csv", index=False
    )
    for seed, name in enumerate(names):
        make_picture(root / "train_images" / f"{name}.png", seed)
    return root


def make_isic(root, count=80):
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
        make_picture(root / "jpeg" / "train" / f"{name}.jpg", seed)
    return root, table


def make_mimic(root, count=48):
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
        make_picture(folder / f"s{row.study_id}" / f"{row.dicom_id}.jpg", i)
    return root, table


@pytest.fixture
def picture():
    return make_picture


@pytest.fixture
def aptos():
    return make_aptos


@pytest.fixture
def isic():
    return make_isic


@pytest.fixture
def mimic():
    return make_mimic
