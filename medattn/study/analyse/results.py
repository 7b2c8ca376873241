"""One row a trial: gathering a study into a table, and reading it again."""

import csv
import io
import json
from dataclasses import fields
from pathlib import Path

import numpy as np

from medattn.study.files import read_json, write_atomic
from medattn.study.plan.trial import LATER, Trial

ROOM = Path(__file__).parents[1]
SHIPPED = ROOM / "results"
REFERENCE = ROOM / "reference"

# What every column of a table of results says. A map's columns are called
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
    "auroc_patient_low": "lower end of its 95% bootstrap interval, drawn by patient",
    "auroc_patient_high": "upper end",
    "average_precision": "mean precision over the positives",
    "balanced_accuracy": "mean of sensitivity and specificity at 0.5",
    "sensitivity_at_95_specificity": "greatest at no less than that specificity",
    "brier": "mean squared error of the probability",
    "ece": "expected calibration error, 15 bins of equal width",
    "accuracy": "share named rightly",
    "majority_accuracy": "accuracy of always naming the commoner class",
    "auroc_with_shortcut": "on test images whose artefact goes with the label as in "
    "training",
    "validation_auroc": "on the validation images of the regime",
}
TEXT = {
    "id", "model", "dataset", "initialisation", "optimizer", "schedule", "selection",
    "validation", "code", "state", "reason", "train_ids_sha256", "protocol", "reader",
}  # fmt: skip


def gather_results(folder):
    """Reads all finished and failed trials of a study's folder.

    Args:
        folder: The study's.

    Returns:
        A list of dicts with the keys of `COLUMNS` and of the maps, in the order of
        the trials' names. What is not known is None.
    """
    rows = []
    for path in sorted(Path(folder).glob("*/config.json")):
        place = path.parent
        outcome = read_json(place / "failed.json") or read_json(place / "done.json")
        if outcome is None:
            continue
        row = {name: None for name in COLUMNS}
        row |= {"id": place.name} | (read_json(path) or {})
        row |= {"state": outcome["state"], "reason": outcome.get("reason")}
        options = [f"{key}={value}" for key, value in row["reader"] or ()]
        row["reader"] = " ".join(options) or None
        if outcome["state"] == "done":
            row |= outcome["test"]
            row |= {
                "train_images": outcome["images"]["train"],
                "train_positives": outcome["positives"],
                "train_ids_sha256": read_json(place / "ids.json")["train"]["sha256"],
                "epochs_made": outcome["epochs"],
                "seconds": (read_json(place / "environment.json") or {}).get("seconds"),
                "validation_auroc": outcome["validation"].get("auroc"),
                "auroc_with_shortcut": (outcome.get("with_shortcut") or {}).get(
                    "auroc"
                ),
            }
            for maps in sorted(place.glob("maps-*.npz")):
                name = maps.stem.removeprefix("maps-")
                row |= _map_means(name, maps)
        rows.append(row)
    return rows


def write_results(rows, path):
    """Writes rows as CSV, the same bytes for the same rows."""
    used = {key for row in rows for key in LATER if row.get(key) is not None}
    names = [name for name in COLUMNS if name not in LATER or name in used]
    names += sorted({key for row in rows for key in row} - set(COLUMNS))
    stream = io.StringIO()
    table = csv.DictWriter(stream, names, lineterminator="\n", extrasaction="ignore")
    table.writeheader()
    table.writerows(rows)
    write_atomic(path, stream.getvalue())


def read_results(source=SHIPPED):
    """Reads results: a CSV, a folder of them, or the folder of a study.

    Args:
        source: What to read; the results that the package brings, unless given.

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
                row = dict.fromkeys(LATER)
                row |= {key: _value(key, text) for key, text in line.items()}
                rows.append(row | {"study": path.stem})
    return rows


def read_reference(name):
    """Reads a table of the published study: `"published_results"` or `..._parameters`.

    Returns:
        A list of dicts; numbers are floats, and None where nothing was published.
    """
    with open(REFERENCE / f"{name}.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    words = {"dataset", "model", "initialisation", "note"}
    return [
        {k: v if k in words else (float(v) if v else None) for k, v in line.items()}
        for line in lines
    ]


def _map_means(name, path):
    """Means over the images, NaN left out; nothing if the analyzer could not."""
    with np.load(path) as scores:
        values = {key: scores[key] for key in scores.files if key != "reason"}
    found = {}
    for key, numbers in values.items():
        known = numbers[np.isfinite(numbers)]
        if len(known):
            found[f"{name}:{key}"] = float(known.mean())
    return found


def _value(key, text):
    if text == "":
        return None
    if key in TEXT:
        return text
    return json.loads(text.lower()) if text in ("True", "False") else _number(text)


def _number(text):
    number = float(text)
    return int(number) if text.lstrip("-").isdigit() else number
