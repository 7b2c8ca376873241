"""Checks a data set on disk: every fault at once, and its counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from medattn.data.cache import Progress
from medattn.data.cards import DatasetCard
from medattn.data.dataset import find_card
from medattn.data.duplicates import find_duplicates, hash_files, report_broken
from medattn.data.load import check_options
from medattn.data.readers import READERS, SPLITS, read_records
from medattn.data.readers.tables import Faults, Records, Unreadable
from medattn.data.sources import decode


class Report(NamedTuple):
    """The result of `check_dataset`.

    Attributes:
        counts: Rows of (split, images, patients, images by class); patients are
            `"unknown"` where the files do not name them.
        faults: Pairs of kind and sentence.
        totals: What the tables hold in all, and how many image files lie in the folders
            that they name.
    """

    counts: list[tuple[str, int, int | str, dict[str, int]]]
    faults: list[tuple[str, str]]
    totals: Mapping[str, int] = {}


def check_dataset(
    name: str, root: str | Path | None, *, duplicates: bool = True, **options: Any
) -> Report:
    """Reads all files and lists every fault, instead of stopping at the first.

    Args:
        name: A data set with files.
        root: Their folder.
        duplicates: Whether to look for copies too; every image is decoded either way.
        options: As for `load_dataset`.

    Returns:
        A `Report`.

    Raises:
        ValueError: If the data set has no files, or no such option.
    """
    card = find_card(name)
    if name not in READERS:
        raise ValueError(
            f"{name!r} is synthetic: there are no files to check. Expected one of "
            f"{sorted(READERS)}. Received: {name!r}"
        )
    check_options(name, {key: options[key] for key in options if key != "size"})
    faults = Faults(collect=True)
    if name == "aptos2019":
        options.setdefault("duplicates", "keep")  # they are reported, not dropped
    try:
        records = read_records(name, root, faults=faults, **options)
    except Unreadable:
        return Report([], faults.found)
    except ValueError as error:  # nothing is left to check
        return Report([], [*faults.found, ("unreadable", str(error))])
    totals = dict(records.totals)
    if records.paths is not None:
        totals["files"] = _count_files(records.paths)
        _check_images(records, faults, records.paths, duplicates)
    counts = []
    for split in SPLITS:
        chosen = np.asarray(records.splits) == split
        patients: int | str = "unknown"
        if records.patients is not None:
            patients = len(np.unique(records.patients[chosen]))
        labels = records.labels[chosen]
        found = Counter(labels.tolist()) if labels.ndim == 1 else Counter()
        by_class = {
            name: found.get(label, 0) for label, name in enumerate(records.card.classes)
        }
        counts.append((split, int(chosen.sum()), patients, by_class))
    _compare(card, counts, totals, faults)
    return Report(counts, faults.found, totals)


def _count_files(paths: Sequence[str | Path]) -> int:
    """Counts the files of the same suffixes in the folders of the named files."""
    folders = {(Path(path).parent, Path(path).suffix) for path in paths}
    return sum(
        path.suffix == suffix for folder, suffix in folders for path in folder.iterdir()
    )


def _check_images(
    records: Records, faults: Faults, paths: Sequence[str | Path], duplicates: bool
) -> None:
    if duplicates:
        hashes, broken = hash_files(paths, title="reading images")
        for group in find_duplicates(hashes):
            names = ", ".join(Path(path).name for path in group[:4])
            more = f" and {len(group) - 4} more" if len(group) > 4 else ""
            faults.add("duplicate", f"{names}{more} look the same. Keep one of them")
    else:
        broken, progress = {}, Progress("reading images", len(paths))

        def check_image(path: str | Path) -> None:
            try:
                decode(path, 32, "stretch")
            except ValueError as error:
                broken[path] = str(error)
            progress.add(1)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(check_image, paths))
        progress.close()
    report_broken(records, broken, faults)


def _compare(
    card: DatasetCard, counts: list, totals: Mapping[str, int], faults: Faults
) -> None:
    """Compares the counts with those of the card."""
    found = {f"{split} images": images for split, images, _, _ in counts} | dict(totals)
    known = {f"{split} images": images for split, images in card.sizes.items()}
    for what, expected in (known | card.counts).items():
        if what in found and found[what] != expected:
            faults.add(
                "count",
                f"{card.name} has {found[what]:,} {what} here. Expected {expected:,} "
                "by its card; is the download complete?",
            )


def table(report: Report) -> str:
    """Writes a report as lines of text."""
    lines = [f"{'split':<12}{'images':>9}{'patients':>10}  by class"]
    for split, images, patients, by_class in report.counts:
        classes = ", ".join(f"{name} {n:,}" for name, n in by_class.items())
        lines.append(f"{split:<12}{images:>9,}{patients:>10}  {classes}")
    if not report.counts:
        lines = []
    if report.totals:
        found = ", ".join(f"{what} {n:,}" for what, n in report.totals.items())
        lines += ["", f"In all: {found}"]
    lines.append("")
    if not report.faults:
        return "\n".join([*lines, "No faults found."])
    kinds = Counter(kind for kind, _ in report.faults)
    lines.append(f"{len(report.faults)} faults: ")
    lines[-1] += ", ".join(f"{kind} {n}" for kind, n in kinds.items())
    lines += [f"  {kind:<15}{sentence}" for kind, sentence in report.faults]
    return "\n".join(lines)
