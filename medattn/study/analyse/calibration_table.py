"""Calibration of many trials as a small table, to be shipped and drawn."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from medattn.study.analyse.calibration import reliability
from medattn.study.analyse.scores import BINS
from medattn.study.files import write_atomic

CELL = ("dataset", "model", "initialisation", "shortcut", "regime")
COLUMNS = (*CELL, "bin", "images", "said", "happened")
TEXT_COLUMNS = {"dataset", "model", "initialisation"}
INTEGER_COLUMNS = {"bin", "images"}

BinRow: TypeAlias = dict[str, Any]  # with the keys COLUMNS


def count_bins(rows: Iterable[Mapping[str, Any]], folder: str | Path) -> list[BinRow]:
    """Compares predicted probabilities with the true labels, bin by bin.

    Args:
        rows: Results of two-class trials of all seeds.
        folder: The study's, where their predictions lie.

    Returns:
        A list of dicts with the keys `COLUMNS`, over the test predictions of all seeds:
        the images in a bin that is not empty, their mean probability, and the fraction
        of positives. Empty if there are no predictions.
    """
    cells: dict[tuple, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    for row in rows:
        path = Path(folder) / row["id"] / "predictions.npz"
        if row["state"] != "done" or not path.exists():
            continue
        with np.load(path) as arrays:
            predicted, labels = arrays["test_probabilities"], arrays["test_labels"]
        if predicted.shape[1] == 2:
            cell = cells.setdefault(tuple(row[key] for key in CELL), ([], []))
            cell[0].append(predicted[:, 1])
            cell[1].append(labels == 1)
    table = []
    for key, (parts, truths) in cells.items():
        found = reliability(np.concatenate(parts), np.concatenate(truths), bins=BINS)
        for index in np.flatnonzero(found.count):
            table.append(
                dict(zip(CELL, key, strict=True))
                | {
                    "bin": int(index),
                    "images": int(found.count[index]),
                    "said": round(float(found.said[index]), 6),
                    "happened": round(float(found.happened[index]), 6),
                }
            )
    return table


def add_bins(first: Iterable[BinRow], second: Iterable[BinRow]) -> list[BinRow]:
    """Adds two tables of different trials.

    Args:
        first: Rows as `count_bins` gives them, of some trials.
        second: Of others.

    Returns:
        Rows as of all of them, the means rounded to the digits that rows have.
    """
    groups: dict[tuple, list[BinRow]] = {}
    for row in (*first, *second):
        groups.setdefault(tuple(row[key] for key in (*CELL, "bin")), []).append(row)
    merged = []
    for rows in groups.values():
        images = [row["images"] for row in rows]
        means = {
            key: round(float(np.average([x[key] for x in rows], weights=images)), 6)
            for key in ("said", "happened")
        }
        merged.append(rows[0] | {"images": sum(images)} | means)
    return merged


def write_bins(rows: Iterable[BinRow], path: str | Path) -> None:
    """Writes what `count_bins` gave as CSV."""
    stream = io.StringIO()
    table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, stream.getvalue())


def read_bins(path: str | Path) -> list[BinRow]:
    """Reads what `write_bins` wrote; an empty list if there is no such file."""
    if not Path(path).exists():
        return []
    with open(path, newline="") as file:
        return [
            {key: _value(key, text) for key, text in row.items()}
            for row in csv.DictReader(file)
        ]


def bins_path(source: str | Path, study: str) -> Path:
    """Returns the path of a study's shipped calibration beside its results."""
    source = Path(source)
    folder = source if source.is_dir() else source.parent
    return folder / "calibration" / f"{study}.csv"


def _value(key: str, text: str) -> str | int | float | None:
    if key in TEXT_COLUMNS:
        return text
    if key in INTEGER_COLUMNS:
        return int(text)
    return float(text) if text else None
