"""Tables of results with one row a trial: gathered, written, read."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from medattn.study.files import read_json, write_atomic
from medattn.study.plan.trial import LATER, Trial

SHIPPED = Path(__file__).parents[1] / "results"
REFERENCE = Path(__file__).parents[1] / "reference"

Row: TypeAlias = dict[str, Any]  # one trial, with the keys COLUMNS

# The meaning of every column of a table of results. A map's columns are called
# `<analyzer>:<metric>`, the mean over the first 100 positives of the test set.
COLUMNS = {
    "id": "folder of the trial: its name, and a hash of the trial and its code",
    **{
        f.name: f"of the trial, see medattn.study.Trial.{f.name}" for f in fields(Trial)
    },
    "code": "fingerprint of the code that decides a trial",
    "threads": "threads of the process",
    "state": "done or failed",
    "reason": "why it failed",
    "train_images": "images in the regime's subset",
    "train_positives": "positives among them",
    "train_ids_sha256": "hash of their names",
    "epochs_made": "passes over the training data",
    "seconds": "wall time of the trial",
    "auroc": "area under the ROC curve, test set",
    "auroc_low": "lower end of its 95% DeLong interval",
    "auroc_high": "upper end",
    "auroc_patient_low": "lower end of its 95% bootstrap interval over patients",
    "auroc_patient_high": "upper end",
    "average_precision": "mean precision over the positives",
    "balanced_accuracy": "mean of sensitivity and specificity at 0.5",
    "sensitivity_at_95_specificity": "maximum at no less than that specificity",
    "brier": "mean squared error of the probability",
    "ece": "expected calibration error, 15 bins of equal width",
    "accuracy": "fraction classified correctly",
    "majority_accuracy": "accuracy of always predicting the commoner class",
    "auroc_with_shortcut": "on test images whose artefact is correlated with the label "
    "as in training",
    "validation_auroc": "on the validation images of the regime",
}
TEXT_COLUMNS = {
    "id", "model", "dataset", "initialisation", "optimizer", "schedule", "selection",
    "validation", "code", "state", "reason", "train_ids_sha256", "protocol", "reader",
}  # fmt: skip


def gather_results(folder: str | Path) -> list[Row]:
    """Reads all finished and failed trials of a study's folder.

    Args:
        folder: The study's.

    Returns:
        A list of dicts with the keys of `COLUMNS` and of the maps, in the order of
        the trials' names. What is not known is None.
    """
    rows = []
    for path in sorted(Path(folder).glob("*/config.json")):
        trial_folder = path.parent
        outcome = read_json(trial_folder / "failed.json") or read_json(
            trial_folder / "done.json"
        )
        if outcome is None:
            continue
        row: Row = {name: None for name in COLUMNS}
        row |= {"id": trial_folder.name} | (read_json(path) or {})
        row |= {"state": outcome["state"], "reason": outcome.get("reason")}
        options = [f"{key}={value}" for key, value in row["reader"] or ()]
        row["reader"] = " ".join(options) or None
        if outcome["state"] == "done":
            row |= _measured(trial_folder, outcome)
        rows.append(row)
    return rows


def _measured(trial_folder: Path, done: dict[str, Any]) -> Row:
    """Reads what was measured of a finished trial, its maps included."""
    environment = read_json(trial_folder / "environment.json") or {}
    row = done["test"] | {
        "train_images": done["images"]["train"],
        "train_positives": done["positives"],
        "train_ids_sha256": read_json(trial_folder / "ids.json")["train"]["sha256"],
        "epochs_made": done["epochs"],
        "seconds": environment.get("seconds"),
        "validation_auroc": done["validation"].get("auroc"),
        "auroc_with_shortcut": (done.get("with_shortcut") or {}).get("auroc"),
    }
    for maps in sorted(trial_folder.glob("maps-*.npz")):
        row |= _map_means(maps.stem.removeprefix("maps-"), maps)
    return row


def write_results(rows: Sequence[Row], path: str | Path) -> None:
    """Writes rows as CSV, the same bytes for the same rows."""
    used = {key for row in rows for key in LATER if row.get(key) is not None}
    names = [name for name in COLUMNS if name not in LATER or name in used]
    names += sorted({key for row in rows for key in row} - set(COLUMNS))
    stream = io.StringIO()
    table = csv.DictWriter(stream, names, lineterminator="\n", extrasaction="ignore")
    table.writeheader()
    table.writerows(rows)
    write_atomic(path, stream.getvalue())


def read_results(source: str | Path = SHIPPED) -> list[Row]:
    """Reads results: a CSV, a folder of them, or the folder of a study.

    Args:
        source: What to read; the shipped results unless given.

    Returns:
        Rows as `gather_results` gives them, each with its `study`. Statistics take the
        rows of one study at a time: seeds are paired within it.

    Raises:
        ValueError: If there is nothing to read.
    """
    source = Path(source)
    if source.is_dir() and next(source.glob("*/config.json"), None):
        return [row | {"study": source.name} for row in gather_results(source)]
    paths = sorted(source.glob("*.csv")) if source.is_dir() else [source]
    if not all(path.exists() for path in paths):
        raise ValueError(
            "There are no results. Expected a CSV of results, or the folder of a study "
            f"with finished trials. Received: {str(source)!r}"
        )
    rows = []
    for path in paths:
        with open(path, newline="") as file:
            for line in csv.DictReader(file):
                row: Row = dict.fromkeys(LATER)
                row |= {key: _value(key, text) for key, text in line.items()}
                rows.append(row | {"study": path.stem})
    return rows


def read_reference(name: str) -> list[Row]:
    """Reads a table of the published study, or of what networks cost.

    Args:
        name: `"published_results"`, `"published_parameters"` or `"complexity"`.

    Returns:
        A list of dicts; numbers are floats, and None where nothing was published.
    """
    with open(REFERENCE / f"{name}.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    text = {"dataset", "model", "initialisation", "note"}
    return [
        {k: v if k in text else (float(v) if v else None) for k, v in line.items()}
        for line in lines
    ]


def _map_means(name: str, path: Path) -> dict[str, float]:
    """Means over the images, NaN left out; empty if the analyzer failed."""
    with np.load(path) as scores:
        values = {key: scores[key] for key in scores.files if key != "reason"}
    found = {}
    for key, numbers in values.items():
        known = numbers[np.isfinite(numbers)]
        if len(known):
            found[f"{name}:{key}"] = float(known.mean())
    return found


def _value(key: str, text: str) -> Any:
    if text == "":
        return None
    if key in TEXT_COLUMNS:
        return text
    return json.loads(text.lower()) if text in ("True", "False") else _number(text)


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if text.lstrip("-").isdigit() else number
