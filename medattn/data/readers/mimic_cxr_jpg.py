"""Reads MIMIC-CXR-JPG from PhysioNet's folder: pleural effusion, present or not."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medattn.data.cards import DatasetCard
from medattn.data.readers.tables import (
    Faults,
    Records,
    find_file,
    known_values,
    name_rows,
    present,
    read_table,
    require_classes,
)

if TYPE_CHECKING:
    import pandas as pd

OPTIONS = ("view", "negatives", "uncertain", "labeler", "official_split")
PROTOCOLS = ("default", "study")
FINDING = "Pleural Effusion"
VALUES = ("1.0", "0.0", "-1.0", "", "1", "0", "-1")
NEGATIVES = ("explicit", "no_finding", "both")
VIEWS = ("AP", "PA", "frontal")
SPLITS = {"train": "train", "validate": "validation", "test": "test"}


def read(
    card: DatasetCard,
    root: str | Path,
    faults: Faults,
    *,
    protocol: str,
    size: int,
    view: str = "AP",
    negatives: str = "explicit",
    uncertain: str = "drop",
    labeler: str = "chexpert",
    official_split: bool = True,
) -> Records:
    """Reads the films of a view whose study mentions effusion.

    Args:
        card: The data set's card.
        root: Folder with `files/` and the `mimic-cxr-2.0.0-*.csv.gz`.
        faults: A `Faults`.
        protocol: `"study"` fixes AP films, explicit negatives and the official split.
        size: Not used.
        view: `"AP"`, `"PA"` or `"frontal"` for both.
        negatives: What class 0 is: `"explicit"`, effusion denied (0); `"no_finding"`,
            No Finding = 1; `"both"`, either. A film without mention (blank) is neither
            positive nor negative, so it is left out.
        uncertain: What -1 means: `"drop"`, `"positive"` or `"negative"`.
        labeler: `"chexpert"` or `"negbio"`.
        official_split: Whether to take PhysioNet's split; else patients are split anew.
    """
    if protocol == "study":
        view, negatives, uncertain, official_split = "AP", "explicit", "drop", True
    _one_of("view", view, VIEWS)
    _one_of("negatives", negatives, NEGATIVES)
    _one_of("uncertain", uncertain, ("drop", "positive", "negative"))
    _one_of("labeler", labeler, ("chexpert", "negbio"))
    labels, views, split, split_path, folder, totals = _read_tables(
        card, root, faults, labeler
    )
    labels = _effusion(labels, negatives, uncertain)
    wanted = ("AP", "PA") if view == "frontal" else (view,)
    views = views[views["ViewPosition"].isin(wanted)][["dicom_id"]]
    films = split.reset_index(names="row").merge(views, on="dicom_id")
    films = films.merge(labels, on="study_id").sort_values("row")
    paths = [
        f"{folder}/p{subject[:2]}/p{subject}/s{study}/{dicom}.jpg"
        for subject, study, dicom in zip(
            films["subject_id"], films["study_id"], films["dicom_id"], strict=True
        )
    ]
    good = present(paths, split_path, list(films["row"]), faults)
    films = films[good]
    require_classes(films["label"].to_numpy(), card, faults)
    return Records(
        card,
        list(films["dicom_id"]),
        films["label"].to_numpy(np.int64),
        films["subject_id"].to_numpy(str),
        [one for one, there in zip(paths, good, strict=True) if there],
        None,
        films["split"].map(SPLITS).to_numpy(str) if official_split else None,
        rows=name_rows(split_path, films["row"]),
        totals=totals,
    )


def _read_tables(
    card: DatasetCard, root: str | Path, faults: Faults, labeler: str
) -> tuple["pd.DataFrame", "pd.DataFrame", "pd.DataFrame", Path, Path, dict[str, int]]:
    """Returns the tables of labels, views and splits, paths, and the tables' totals."""

    def read_part(part: str, columns: list[str]) -> tuple[Path, "pd.DataFrame"]:
        names = [f"mimic-cxr-2.0.0-{part}.csv{end}" for end in (".gz", "")]
        path = faults.attempt(find_file, root, names, f"table of {part}", card)
        return path, path and faults.attempt(read_table, path, columns)

    path, labels = read_part(labeler, ["subject_id", "study_id", FINDING, "No Finding"])
    _, views = read_part("metadata", ["dicom_id", "ViewPosition"])
    columns = ["dicom_id", "study_id", "subject_id", "split"]
    split_path, split = read_part("split", columns)
    folder = faults.attempt(find_file, root, ["files"], "folder of images", card)
    faults.require(labels, views, split, folder)
    totals = {"rows": len(split), "studies": len(labels)}
    for column in (FINDING, "No Finding"):
        labels = labels[known_values(labels, column, VALUES, path, faults)]
    split = split[known_values(split, "split", SPLITS, split_path, faults)]
    return labels, views, split, split_path, folder, totals


def _effusion(labels: "pd.DataFrame", negatives: str, uncertain: str) -> "pd.DataFrame":
    """Returns the binary label of each study that has one."""
    value = labels[FINDING].replace("", "nan").astype(float)
    healthy = labels["No Finding"].replace("", "nan").astype(float) == 1
    positive = (value == 1) | ((value == -1) & (uncertain == "positive"))
    negative = (value == -1) & (uncertain == "negative")
    if negatives != "no_finding":
        negative |= value == 0
    if negatives != "explicit":
        negative |= healthy & ~positive & (value != -1)
    labels = labels.assign(label=np.where(positive, 1, np.where(negative, 0, -1)))
    return labels[labels["label"] >= 0][["study_id", "label"]]


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(
            f"Unknown {name} {value!r}. Expected one of {list(known)}. "
            f"Received: {name}={value!r}"
        )
