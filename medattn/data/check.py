"""What is wrong with a data set on disk: everything at once, and its counts."""

from collections import Counter, namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from medattn.data.cache import Progress
from medattn.data.dataset import find_card
from medattn.data.duplicates import find_duplicates, hash_files
from medattn.data.readers import READERS, SPLITS, read_records
from medattn.data.readers.tables import Faults
from medattn.data.sources import decode

Report = namedtuple("Report", "counts faults")


def check_dataset(name, root, *, duplicates=True, **options):
    """Reads everything there is and lists every fault, instead of stopping at one.

    Args:
        name: A data set with files.
        root: Their folder.
        duplicates: Whether to look for copies too; every image is decoded either way.
        options: As for `load_dataset`.

    Returns:
        A `Report`: `counts`, rows of (split, images, patients, images by class), and
        `faults`, pairs of kind and sentence.
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
    except ValueError as error:  # what leaves nothing to go on with
        return Report([], [*faults.found, ("unreadable", str(error))])
    if records.paths is not None:
        _check_images(records.paths, faults, duplicates)
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
    _compare(card, counts, faults)
    return Report(counts, faults.found)


def _check_images(paths, faults, duplicates):
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
    for path, sentence in sorted(broken.items(), key=str):
        faults.add("broken image", f"{path}: {sentence} Fetch the file again")


def _compare(card, counts, faults):
    """Holds what was found against what the card says."""
    found = {split: images for split, images, _, _ in counts}
    found["labelled"] = sum(found.values())
    for split, images in card.sizes.items():
        if split in found and found[split] != images:
            faults.add(
                "count",
                f"{card.name} has {found[split]:,} images ({split}) here. Expected "
                f"{images:,} by its card; is the download complete?",
            )


def table(report):
    """Writes a report as lines of text."""
    lines = [f"{'split':<12}{'images':>9}{'patients':>10}  by class"]
    for split, images, patients, by_class in report.counts:
        classes = ", ".join(f"{name} {n:,}" for name, n in by_class.items())
        lines.append(f"{split:<12}{images:>9,}{patients:>10}  {classes}")
    if not report.counts:
        lines = []
    lines.append("")
    if not report.faults:
        return "\n".join([*lines, "No faults found."])
    kinds = Counter(kind for kind, _ in report.faults)
    lines.append(f"{len(report.faults)} faults: ")
    lines[-1] += ", ".join(f"{kind} {n}" for kind, n in kinds.items())
    lines += [f"  {kind:<15}{sentence}" for kind, sentence in report.faults]
    return "\n".join(lines)
