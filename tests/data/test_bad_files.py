"""Bad files: one sentence each, and all of them at once from `check`."""

import pandas as pd
import pytest

from medattn.data import load_dataset

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
def test_bad_files_are_answered_in_one_sentence(tmp_path, breaking, aptos):
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


def test_check_says_so_if_nothing_can_be_read(tmp_path):
    from medattn.data.check import check_dataset

    report = check_dataset("isic2020", tmp_path)
    assert [kind for kind, _ in report.faults] == ["unreadable"] * 2
    said = [sentence for _, sentence in report.faults]
    assert "its table is not there" in said[0]
    assert "its folder of images is not there" in said[1]
    with pytest.raises(ValueError, match="is drawn"):
        check_dataset("fundus", tmp_path)
