"""What is wrong with a data set on disk: everything at once, and its counts."""

from collections import Counter, namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from medattn.data.cache import Progress
from medattn.data.dataset import find_card
from medattn.data.duplicates import find_duplicates, hash_files, report_broken
from medattn.data.readers import READERS, SPLITS, read_records
from medattn.data.readers.tables import Faults, Unreadable
from medattn.data.sources import decode

Report = namedtuple("Report", "counts faults totals", defaults=({},))


def check_dataset(name, root, *, duplicates=True, **options):
    """Reads everything there is and lists every fault, instead of stopping at one.

    Args:
        name: A data set with files.
        root: Their folder.
        duplicates: Whether to look for copies too; every image is decoded either way.
        options: As for `load_dataset`.

    Returns:
        A `Report`: `counts`, rows of (split, images, patients, images by class);
        `faults`, pairs of kind and sentence; and `totals`, what the tables hold in all
        and how many image files lie in the folders that they name.
    """
    card = find_card(name)
    if name not in READERS:
        raise ValueError(
            f"{name!r} is drawn: there are no files to check. Expected one of "
            f"{sorted(READERS)}. Received: {name!r}"
        )
    faults = Faults(collect=True)
    if name == "aptos2019":
        options.setdefault("duplicates", "keep")  # they are reported, not dropped
    try:
        records = read_records(name, root, faults=faults, **options)
    except Unreadable:
        return Report([], faults.found)
    except ValueError as error:  # what leaves nothing to go on with
        return Report([], [*faults.found, ("unreadable", str(error))])
    totals = dict(records.totals)
    if records.paths is not None:
        totals["files"] = _count_files(records.paths)
        _check_images(records, faults, duplicates)
    counts = []
    for split in SPLITS:
        chosen = records.splits == split
        patients = "unknown"
        if records.patients is not None:
            patients = len(np.unique(records.patients[chosen]))
        labels = records.labels[chosen]
        by_class = Counter(labels.tolist()) if labels.ndim == 1 else {}
        by_class = {
            label: by_class.get(place, 0)
            for place, label in enumerate(records.card.classes)
        }
        counts.append((split, int(chosen.sum()), patients, by_class))
    _compare(card, counts, totals, faults)
    return Report(counts, faults.found, totals)


def _count_files(paths):
    """How many files like those named lie in the folders where those lie."""
    folders = {(Path(path).parent, Path(path).suffix) for path in paths}
    return sum(
        path.suffix == suffix for folder, suffix in folders for path in folder.iterdir()
    )


def _check_images(records, faults, duplicates):
    paths = records.paths
    if duplicates:
        hashes, broken = hash_files(paths, title="reading images")
        for group in find_duplicates(hashes):
            names = ", ".join(Path(path).name for path in group[:4])
            more = f" and {len(group) - 4} more" if len(group) > 4 else ""
            faults.add("duplicate", f"{names}{more} look the same. Keep one of them")
    else:
        broken, progress = {}, Progress("reading images", len(paths))

        def one(path):
            try:
                decode(path, 32, "stretch")
            except ValueError as error:
                broken[path] = str(error)
            progress.add(1)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, paths))
        progress.close()
    report_broken(records, broken, faults)


def _compare(card, counts, totals, faults):
    """Holds what was found against what the card says."""
    found = {f"{split} images": images for split, images, _, _ in counts} | totals
    known = {f"{split} images": images for split, images in card.sizes.items()}
    for what, expected in (known | card.counts).items():
        if what in found and found[what] != expected:
            faults.add(
                "count",
                f"{card.name} has {found[what]:,} {what} here. Expected {expected:,} "
                "by its card; is the download complete?",
            )


def table(report):
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
