"""The cards of the data sets: one YAML file each, with facts that tests check."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from medattn.data.augment import Augmentation

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class DatasetCard:
    """The facts about one data set that travel beside its images.

    Attributes:
        name: The name that `load_dataset` takes.
        title: What it shows, in words for a learner.
        classes: Class names in the order of the labels.
        sizes: Images in each split; of real data sets as published.
        counts: What its tables hold in all: `rows`, `patients`, `studies`, images by
            class.
        licence: SPDX name of the licence, or words where there is none.
        source: Where the images come from.
        stands_for: The data set of the study that it replaces, or is.
        warning: What it must not be used for.
        drawn: Whether it is synthetic: rendered by this package.
        access: `credentialed`, `dua`, `steps` to get it, `prohibited` uses.
        label: What is `positive`, `negative`, `uncertain`, `blank`.
        split: `unit`, `source`, `seed`.
        study: Images and positives of the study's own splits.
        prevalence: Fraction of class 1 by split, where it is known.
        duplicates: How copies are treated.
        shortcuts: Known shortcuts.
        subgroups: Groups by which results should be reported.
        about: `motivation`, `composition`, `collection`, `annotation`, `uses`,
            `limits`, `maintenance`, `sensitive`: the questions of a datasheet.
        files: By size, `url` and `md5` of the files that are fetched.
        hashes: SHA-256 of fixed splits.
        citation: How to cite it.
        link: Where it is described.
        published: Date of the version described.
        augmentation: How its training images may be changed.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    licence: str
    source: str
    stands_for: str
    warning: str
    sizes: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    licence_link: str = ""
    drawn: bool = False
    access: dict[str, Any] = field(default_factory=dict)
    label: dict[str, str] = field(default_factory=dict)
    split: dict[str, Any] = field(default_factory=dict)
    study: dict[str, dict[str, int]] = field(default_factory=dict)
    prevalence: dict[str, float] = field(default_factory=dict)
    duplicates: str = ""
    shortcuts: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)
    files: dict[int, dict[str, str]] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    citation: str = ""
    link: str = ""
    published: str = ""
    augmentation: Augmentation = Augmentation()


def read_card(path: str | Path) -> DatasetCard:
    """Reads a card from its YAML file."""
    try:
        facts = yaml.load(Path(path).read_text(), Loader=LOADER)
        for key in ("classes", "shortcuts", "subgroups"):
            facts[key] = tuple(facts.get(key, ()))
        changes: dict[str, Any] = facts.get("augmentation", {})
        if "shift" in changes:
            changes["shift"] = tuple(changes["shift"])
        facts["augmentation"] = Augmentation(**changes)
        return DatasetCard(**facts)
    except (yaml.YAMLError, TypeError) as error:
        raise ValueError(f"{path} is not a data card ({error}).") from error


# The loader written in C reads all cards in a few milliseconds.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CARDS = {path.stem: read_card(path) for path in sorted(FOLDER.glob("*.yaml"))}
