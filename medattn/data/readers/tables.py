"""What all readers share: tables read with care, and faults said in one sentence."""

from collections import namedtuple
from pathlib import Path

# splits: None where the reader leaves it to `split_by_patient`.
Records = namedtuple("Records", "card ids labels patients paths images splits")


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

    good = np.array([Path(path).is_file() for path in paths], bool)
    for place in np.flatnonzero(~good):
        faults.add(
            "missing image",
            f"{table_path}, row {rows[place] + 2}: the image {paths[place]} is named "
            "but absent. Expected a file; copy it there or remove the row",
        )
    return good


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
