"""Bad files: an error of one sentence each, and all at once from `check`."""

import pandas as pd
import pytest
from PIL import Image

from medattn.data import load_dataset
from medattn.data.readers import read_records

pytestmark = pytest.mark.usefixtures("own_cache")


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
def test_bad_files_of_aptos_raise_one_sentence(tmp_path, breaking, aptos):
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
def test_unknown_options_and_folders_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        load_dataset(**options)


def test_a_truncated_table_of_mimic_is_refused(tmp_path, mimic):
    root, _ = mimic(tmp_path / "mimic")
    path = root / "mimic-cxr-2.0.0-chexpert.csv.gz"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match="chexpert.csv.gz cannot be read"):
        load_dataset("mimic_cxr_jpg", root=root)


def test_an_empty_folder_of_a_class_is_refused(tmp_path, picture):
    picture(tmp_path / "mine" / "cats" / "1.png", 1)
    (tmp_path / "mine" / "dogs").mkdir()
    with pytest.raises(ValueError, match="dogs holds no image"):
        load_dataset("folder", root=tmp_path / "mine")


def test_too_few_positives_are_refused_with_their_number(tmp_path, isic):
    root, _ = isic(tmp_path / "isic")
    with pytest.raises(ValueError, match="patients of class 0.*which leaves 0 of 6"):
        load_dataset("isic2020", root=root, regime=0.01)


def spoil(path, row, column, value):
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[row, column] = value
    table.to_csv(path, index=False)


def test_bad_files_of_isic_raise_one_sentence(tmp_path, isic):
    cases = (
        (lambda r: spoil(r / "train.csv", 5, "target", "2"), "row 7: unknown target"),
        (
            lambda r: (r / "jpeg" / "train" / "ISIC_0000009.jpg").unlink(),
            "row 11: the image .*ISIC_0000009.jpg is named but absent",
        ),
        (
            lambda r: (r / "train.csv").write_text("image_name,patient_id\na,b\n"),
            "row 1 lacks the column 'target'",
        ),
        (lambda r: (r / "train.csv").unlink(), "its table is not there"),
    )
    for number, (breaking, said) in enumerate(cases):
        root, _ = isic(tmp_path / str(number))
        breaking(root)
        with pytest.raises(ValueError, match=said) as error:
            load_dataset("isic2020", root=root, size=32)
        assert "\n" not in str(error.value)


def test_bad_files_of_mimic_raise_one_sentence(tmp_path, mimic):
    stem = "mimic-cxr-2.0.0-"
    cases = (
        (
            lambda r: spoil(r / f"{stem}chexpert.csv.gz", 3, "Pleural Effusion", "9"),
            "chexpert.csv.gz, row 5: unknown Pleural Effusion '9'",
        ),
        (
            lambda r: spoil(r / f"{stem}split.csv.gz", 3, "split", "val"),
            "split.csv.gz, row 5: unknown split 'val'",
        ),
        (
            lambda r: next(r.rglob("d0001.jpg")).unlink(),
            "split.csv.gz, row 3: the image .*d0001.jpg is named but absent",
        ),
        (lambda r: (r / f"{stem}metadata.csv.gz").unlink(), "its table of metadata is"),
    )
    for number, (breaking, said) in enumerate(cases):
        root, _ = mimic(tmp_path / str(number))
        breaking(root)
        with pytest.raises(ValueError, match=said) as error:
            load_dataset("mimic_cxr_jpg", root=root, size=32)
        assert "\n" not in str(error.value)


def test_an_error_about_a_broken_film_names_its_row(tmp_path, mimic):
    root, _ = mimic(tmp_path / "mimic")
    path = next(root.rglob("d0001.jpg"))
    path.write_bytes(path.read_bytes()[:-40])
    data = load_dataset("mimic_cxr_jpg", root=root, size=32)
    said = r"split.csv.gz, row 3: the image .*d0001.jpg cannot be used.* is damaged"
    for read in (data.arrays, data.source.prepare):
        with pytest.raises(ValueError, match=said) as error:
            read()
        assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("cache/prepared/*/index.json"))


def test_check_names_every_unreadable_table_and_every_bad_row(tmp_path, mimic):
    from medattn.data.check import check_dataset, table

    root, _ = mimic(tmp_path / "mimic")
    stem = root / "mimic-cxr-2.0.0-"
    spoil(f"{stem}chexpert.csv.gz", 3, "Pleural Effusion", "9")
    spoil(f"{stem}split.csv.gz", 4, "split", "val")
    next(root.rglob("d0001.jpg")).unlink()
    broken = next(root.rglob("d0000.jpg"))
    broken.write_bytes(broken.read_bytes()[:200])
    report = check_dataset("mimic_cxr_jpg", root)
    kinds = [kind for kind, _ in report.faults if kind != "count"]
    unknown = ["unknown label"] * 2
    assert sorted(kinds) == ["broken image", "missing image", *unknown]
    assert "In all: rows 48, studies 48, files" in table(report)
    for part in ("chexpert", "metadata"):
        path = f"{stem}{part}.csv.gz"
        pd.DataFrame(dict(study_id=["1"])).to_csv(path, index=False)
    found = check_dataset("mimic_cxr_jpg", root).faults
    assert [kind for kind, _ in found] == ["unreadable"] * 2
    assert "chexpert" in found[0][1] and "metadata" in found[1][1]


def test_duplicates_drop_leaves_out_copies_of_a_mole(tmp_path, isic):
    root, table = isic(tmp_path / "isic")
    first, copy = (root / "jpeg" / "train" / f"ISIC_{i:07d}.jpg" for i in (3, 41))
    with Image.open(first) as image:
        image.resize((80, 60), Image.Resampling.BICUBIC).save(copy, quality=80)
    assert len(read_records("isic2020", root).ids) == 80
    found = read_records("isic2020", root, duplicates="drop")
    assert len(found.ids) == len(found.patients) == len(found.rows) == 79
    assert "ISIC_0000041" not in found.ids
    with pytest.raises(ValueError, match="one of .*'list', 'drop', 'keep'"):
        read_records("isic2020", root, duplicates="look")
    with pytest.raises(ValueError, match="'drop' or 'keep'"):
        read_records("aptos2019", root, duplicates="look")


def test_check_lists_all_faults_at_once(tmp_path, aptos):
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
        ["broken image", *["count"] * 3, "duplicate", "missing image", "unknown label"]
    )
    text = table(report)
    for said in ("row 8", "row 6", f"{20:012x}", f"{30:012x}.png, {31:012x}.png"):
        assert said in text
    assert "In all: rows 60, no retinopathy 12, retinopathy 47, files 59" in text
    assert "has 60 rows here. Expected 3,662 by its card" in text
    assert "train.csv, row 22: the image" in text and "is damaged" in text


def test_check_reports_a_folder_without_files(tmp_path):
    from medattn.data.check import check_dataset

    report = check_dataset("isic2020", tmp_path)
    assert [kind for kind, _ in report.faults] == ["unreadable"] * 2
    said = [sentence for _, sentence in report.faults]
    assert "its table is not there" in said[0]
    assert "its folder of images is not there" in said[1]
    with pytest.raises(ValueError, match="is synthetic"):
        check_dataset("fundus", tmp_path)
