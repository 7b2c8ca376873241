"""Calibration of many trials as a small table, so that it can be shipped and drawn."""

import csv
import io
from pathlib import Path

import numpy as np

from medattn.study.analyse.calibration import reliability
from medattn.study.analyse.scores import BINS
from medattn.study.files import write_atomic

CELL = ("dataset", "model", "initialisation", "shortcut", "regime")
COLUMNS = (*CELL, "bin", "images", "said", "happened")


def count_bins(rows, folder):
    """Counts, by bin of the said probability, what was said and what was true.

    Args:
        rows: Results of two-class trials, seeds and all.
        folder: The study's, where their predictions lie.

    Returns:
        A list of dicts with the keys `COLUMNS`, of the seeds' test predictions taken
        together: the images in a bin that is not empty, their mean probability, and
        the share of positives. Empty if there are no predictions.
    """
    cells = {}
    for row in rows:
        path = Path(folder) / row["id"] / "predictions.npz"
        if row["state"] != "done" or not path.exists():
            continue
        with np.load(path) as arrays:
            chance, labels = arrays["test_probabilities"], arrays["test_labels"]
        if chance.shape[1] == 2:
            cell = cells.setdefault(tuple(row[key] for key in CELL), ([], []))
            cell[0].append(chance[:, 1])
            cell[1].append(labels == 1)
    lines = []
    for cell, (chance, sick) in cells.items():
        found = reliability(np.concatenate(chance), np.concatenate(sick), bins=BINS)
        for number in np.flatnonzero(found.count):
            lines.append(
                dict(zip(CELL, cell, strict=True))
                | {
                    "bin": int(number),
                    "images": int(found.count[number]),
                    "said": round(float(found.said[number]), 6),
                    "happened": round(float(found.happened[number]), 6),
                }
            )
    return lines


def add_bins(first, second):
    """Takes two countings of different trials together.

    Args:
        first: Lines as `count_bins` gives them, of some trials.
        second: Of others.

    Returns:
        Lines as of all of them, the means to the last digit that lines have.
    """
    both = {}
    for line in (*first, *second):
        both.setdefault(tuple(line[key] for key in (*CELL, "bin")), []).append(line)
    together = []
    for lines in both.values():
        images = [line["images"] for line in lines]
        means = {
            key: round(float(np.average([x[key] for x in lines], weights=images)), 6)
            for key in ("said", "happened")
        }
        together.append(lines[0] | {"images": sum(images)} | means)
    return together


def write_bins(lines, path):
    """Writes what `count_bins` gave as CSV."""
    stream = io.StringIO()
    table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(lines)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, stream.getvalue())


def read_bins(path):
    """Reads what `write_bins` wrote; an empty list if there is no such file."""
    if not Path(path).exists():
        return []
    words = {"dataset", "model", "initialisation"}
    whole = {"bin", "images"}
    with open(path, newline="") as file:
        return [
            {
                key: text
                if key in words
                else (int(text) if key in whole else (float(text) if text else None))
                for key, text in line.items()
            }
            for line in csv.DictReader(file)
        ]


def bins_path(source, study):
    """Says where the shipped calibration of a study lies beside its results."""
    source = Path(source)
    room = source if source.is_dir() else source.parent
    return room / "calibration" / f"{study}.csv"
