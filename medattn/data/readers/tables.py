"""What all readers share: tables read with care, and faults said in one sentence."""

import os
from collections import namedtuple
from pathlib import Path

# One entry an image: `ids`, `labels`, `patients`, `paths`, `splits` (None where the
# reader leaves them to `split_by_patient`) and `where`, the place in the table that
# names it. `totals` is what the tables hold before anything is left out.
Records = namedtuple(
    "Records",
    "card ids labels patients paths images splits where totals",
    defaults=(None, None, None, {}),
)


class Unreadable(ValueError):
    """Files that leave nothing to go on with, each already reported as a fault."""


class Faults:
    """Stops at the first fault, or collects them all.

    Args:
        collect: Whether to go on; then `found` holds `(kind, sentence)` pairs.
    """

    def __init__(self, *, collect=False):
        self.collect = collect
        self.found = []

    def add(self, kind, sentence):
        """Reports a fault."""
        if not self.collect:
            raise ValueError(sentence)
        self.found.append((kind, sentence))

    def attempt(self, function, *arguments):
        """Calls a function whose refusal is one more fault; returns None then."""
        try:
            return function(*arguments)
        except ValueError as error:
            self.add("unreadable", str(error))
            return None

    def stop_without(self, *things):
        """Ends the reading if one of the things is None."""
        if any(thing is None for thing in things):
            raise Unreadable("; ".join(sentence for _, sentence in self.found))


def find_file(root, names, what, card):
    """Returns the first of `names` that exists under `root`, or says what to do."""
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


def read_table(path, columns):
    """Reads a CSV file, all cells as text, and makes sure of its columns."""
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


def known_values(table, column, known, path, faults):
    """Returns which rows hold a known value; the others are faults."""
    good = table[column].isin(list(known))
    for row in table.index[~good]:
        faults.add(
            "unknown label",
            f"{path}, row {row + 2}: unknown {column} {table[column][row]!r}. Expected "
            f"one of {list(known)}; correct or remove the row",
        )
    return good


def present(paths, table_path, rows, faults):
    """Returns which image files exist; the others are faults."""
    import numpy as np

    good = np.array([os.path.isfile(path) for path in paths], bool)
    for place in np.flatnonzero(~good):
        where = rows_of(table_path, [rows[place]])[0]
        faults.add(
            "missing image",
            f"{where}: the image {paths[place]} is named but absent. Expected a file; "
            "copy it there or remove the row",
        )
    return good


def rows_of(path, rows):
    """Names the place of each row: the file and the number that an editor shows."""
    return [f"{path}, row {row + 2}" for row in rows]


def by_class(card, positive):
    """Counts the rows of both classes by the names on the card."""
    counts = int((~positive).sum()), int(positive.sum())
    return dict(zip(card.classes, counts, strict=True))


def choose(records, chosen):
    """Returns the records of some of the images, in the order asked for."""

    def some(column):
        if column is None or hasattr(column, "shape"):
            return column if column is None else column[chosen]
        return [column[place] for place in chosen]

    columns = ("ids", "labels", "patients", "paths", "images", "splits", "where")
    return records._replace(**{key: some(getattr(records, key)) for key in columns})


def two_classes(labels, card, faults):
    """Makes sure that no class is empty."""
    import numpy as np

    for label, name in enumerate(card.classes):
        if not np.any(np.asarray(labels) == label):
            faults.add(
                "empty class",
                f"{card.name} has no image of class {name!r} here. Expected at least "
                f"one of each of {list(card.classes)}; is the table complete? "
                f"Received: {len(labels)} images",
            )
