"""Learning curves of many trials as a small table, to be shipped and drawn."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from medattn.study.files import write_atomic

CELL = ("dataset", "model", "initialisation", "shortcut", "regime", "step")
VALUES = ("loss", "val_auroc")
COLUMNS = (*CELL, "seeds", *VALUES)

CurveRow: TypeAlias = dict[str, Any]  # with the keys COLUMNS


def mean_curves(
    rows: Iterable[Mapping[str, Any]], folder: str | Path
) -> list[CurveRow]:
    """Averages what trials reached after each round, over the seeds of a cell.

    Args:
        rows: Results of two-class trials.
        folder: The study's, where the histories of the trials lie.

    Returns:
        A list of dicts with the keys `COLUMNS`: training loss and validation AUROC
        after so many steps, means over `seeds` trials. Trials without a history, or
        whose history has no AUROC, are left out.
    """
    points: list[CurveRow] = []
    for row in rows:
        path = Path(folder) / row["id"] / "history.jsonl"
        if row["state"] != "done" or not path.exists():
            continue
        for line in map(json.loads, path.read_text().splitlines()):
            if all(key in line for key in VALUES):
                cell = {key: row[key] for key in CELL if key != "step"}
                values = {key: line[key] for key in VALUES}
                points.append(cell | {"step": line["step"], "seeds": 1} | values)
    return add_curves(points, ())


def add_curves(first: Iterable[CurveRow], second: Iterable[CurveRow]) -> list[CurveRow]:
    """Averages two tables of different trials, each row weighed by its seeds.

    Args:
        first: Rows as `mean_curves` gives them, of some trials.
        second: Of others.

    Returns:
        Rows as of all of them, sorted, the means rounded to five digits.
    """
    groups: dict[tuple, list[CurveRow]] = {}
    for row in (*first, *second):
        groups.setdefault(tuple(row[key] for key in CELL), []).append(row)
    merged = []
    for key in sorted(groups, key=_order):
        seeds = [row["seeds"] for row in groups[key]]
        means = {
            name: round(
                float(np.average([r[name] for r in groups[key]], weights=seeds)), 5
            )
            for name in VALUES
        }
        merged.append(dict(zip(CELL, key, strict=True)) | {"seeds": sum(seeds)} | means)
    return merged


def write_curves(rows: Iterable[CurveRow], path: str | Path) -> None:
    """Writes what `mean_curves` gave as CSV."""
    stream = io.StringIO()
    table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, stream.getvalue())


def read_curves(path: str | Path) -> list[CurveRow]:
    """Reads what `write_curves` wrote; an empty list if there is no such file."""
    if not Path(path).exists():
        return []
    with open(path, newline="") as file:
        return [
            {key: _value(key, text) for key, text in row.items()}
            for row in csv.DictReader(file)
        ]


def curves_path(source: str | Path, study: str) -> Path:
    """Returns the path of a study's shipped learning curves beside its results."""
    source = Path(source)
    folder = source if source.is_dir() else source.parent
    return folder / "curves" / f"{study}.csv"


def _value(key: str, text: str) -> str | int | float | None:
    if key in ("dataset", "model", "initialisation"):
        return text
    if key in ("step", "seeds"):
        return int(text)
    return float(text) if text else None


def _order(key: tuple) -> tuple:
    return tuple((part is not None, part) for part in key)
