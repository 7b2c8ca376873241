"""What all readers share: records, tables, and faults of one sentence each."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medattn.data.cards import DatasetCard

if TYPE_CHECKING:
    import pandas as pd


class Records(NamedTuple):
    """What the files contain of all images of a data set, one entry an image.

    Attributes:
        card: The `DatasetCard`.
        ids: Names of the images.
        labels: Classes, `(images,)`, or `(images, classes)`.
        patients: Names of the patients, or None where they are unknown.
        paths: The image files, or None where `images` holds the pixels.
        images: `(images, height, width, 3)`, uint8, or None.
        splits: Names of splits; None where `split_by_patient` is to assign them.
        rows: The table row that names each image, or None.
        totals: Counts of what the tables hold before any image is left out.
    """

    card: DatasetCard
    ids: list[str]
    labels: np.ndarray
    patients: np.ndarray | None
    paths: Sequence[str | Path] | None
    images: np.ndarray | None = None
    splits: np.ndarray | None = None
    rows: list[str] | None = None
    totals: Mapping[str, int] = {}


class Unreadable(ValueError):
    """Files without which reading cannot go on, each already reported as a fault."""


class Faults:
    """Stops at the first fault, or collects all.

    Args:
        collect: Whether to go on; then `found` holds `(kind, sentence)` pairs.
    """

    def __init__(self, *, collect: bool = False) -> None:
        self.collect = collect
        self.found: list[tuple[str, str]] = []

    def add(self, kind: str, sentence: str) -> None:
        """Reports a fault."""
        if not self.collect:
            raise ValueError(sentence)
        self.found.append((kind, sentence))

    def attempt(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function; reports its ValueError as a fault and returns None."""
        try:
            return function(*arguments)
        except ValueError as error:
            self.add("unreadable", str(error))
            return None

    def require(self, *values: Any) -> None:
        """Raises `Unreadable` if one of the values is None."""
        if any(value is None for value in values):
            raise Unreadable("; ".join(sentence for _, sentence in self.found))


def find_file(
    root: str | Path, names: Sequence[str], what: str, card: DatasetCard
) -> Path:
    """Returns the first of `names` that exists under `root`, or raises with steps."""
    root = Path(root)
    if not root.is_dir():
        raise ValueError(
            f"There is no folder {str(root)!r}. Expected root=the folder of "
            f"{card.name}. {card.access['steps']}"
        )
    for name in names:
        if (root / name).exists():
            return root / name
    raise ValueError(
        f"{str(root)!r} does not look like {card.name}: its {what} is not there. "
        f"Expected {' or '.join(names)} in it. Received: "
        f"{sorted(path.name for path in root.iterdir())[:8]}"
    )


def read_table(path: str | Path, columns: Sequence[str]) -> "pd.DataFrame":
    """Reads a CSV file, all cells as text, and checks its columns."""
    import pandas as pd

    path = Path(path)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError) as error:
        raise ValueError(
            f"{path} is not a table ({str(error).strip()}). Expected a CSV file with "
            f"the columns {list(columns)}; fetch it again"
        ) from error
    except (EOFError, OSError) as error:
        raise ValueError(
            f"{path} cannot be read ({error}). Expected a CSV file; fetch it again"
        ) from error
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(
            f"{path}, row 1 lacks the column {missing[0]!r}. Expected the columns "
            f"{list(columns)}; take the official file. Received: "
            f"{list(table.columns)}"
        )
    return table


def known_values(
    table: "pd.DataFrame",
    column: str,
    known: Iterable[str],
    path: str | Path,
    faults: Faults,
) -> "pd.Series":
    """Returns which rows hold a known value; the others are faults."""
    good = table[column].isin(list(known))
    for row in table.index[~good]:
        faults.add(
            "unknown label",
            f"{path}, row {row + 2}: unknown {column} {table[column][row]!r}. Expected "
            f"one of {list(known)}; correct or remove the row",
        )
    return good


def present(
    paths: Sequence[str | Path],
    table_path: str | Path,
    rows: Sequence[int],
    faults: Faults,
) -> np.ndarray:
    """Returns which image files exist; the others are faults."""
    good = np.array([os.path.isfile(path) for path in paths], bool)
    for index in np.flatnonzero(~good).tolist():
        (row,) = name_rows(table_path, [rows[index]])
        faults.add(
            "missing image",
            f"{row}: the image {paths[index]} is named but absent. Expected a file; "
            "copy it there or remove the row",
        )
    return good


def name_rows(path: str | Path, rows: Iterable[int]) -> list[str]:
    """Names each row by the file and the line number that an editor shows."""
    return [f"{path}, row {row + 2}" for row in rows]


def count_classes(card: DatasetCard, positive: "pd.Series") -> dict[str, int]:
    """Counts the rows of both classes by the names on the card."""
    counts = int((~positive).sum()), int(positive.sum())
    return dict(zip(card.classes, counts, strict=True))


def select(records: Records, chosen: np.ndarray) -> Records:
    """Returns the records of some of the images, in the order of `chosen`."""

    def take(column: Any) -> Any:
        if column is None:
            return None
        if isinstance(column, np.ndarray):
            return column[chosen]
        return [column[index] for index in chosen]

    columns = ("ids", "labels", "patients", "paths", "images", "splits", "rows")
    return records._replace(**{key: take(getattr(records, key)) for key in columns})


def require_classes(labels: np.ndarray, card: DatasetCard, faults: Faults) -> None:
    """Reports every class without images as a fault."""
    for label, name in enumerate(card.classes):
        if not np.any(np.asarray(labels) == label):
            faults.add(
                "empty class",
                f"{card.name} has no image of class {name!r} here. Expected at least "
                f"one of each of {list(card.classes)}; is the table complete? "
                f"Received: {len(labels)} images",
            )
