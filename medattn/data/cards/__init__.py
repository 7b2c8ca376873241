"""What is known about each data set: one YAML file each, as facts that tests check."""

from dataclasses import dataclass, field
from pathlib import Path

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
        stands_for: The data set of the study that it stands in for, or is.
        warning: What it must not be used for.
        drawn: Whether it is drawn by this package.
        access: `credentialed`, `dua`, `steps` to get it, `prohibited` uses.
        label: What is `positive`, `negative`, `uncertain`, `blank`.
        split: `unit`, `source`, `seed`.
        study: Images and positives of the study's own splits.
        prevalence: Share of class 1 by split, where it is known.
        duplicates: What is done about copies.
        shortcuts: Known shortcuts.
        subgroups: Groups that results should be looked at by.
        about: `motivation`, `composition`, `collection`, `annotation`, `uses`,
            `limits`, `maintenance`, `sensitive`: the questions of a datasheet.
        files: By size, `url` and `md5` of what is fetched.
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
    sizes: dict = field(default_factory=dict)
    counts: dict = field(default_factory=dict)
    licence_link: str = ""
    drawn: bool = False
    access: dict = field(default_factory=dict)
    label: dict = field(default_factory=dict)
    split: dict = field(default_factory=dict)
    study: dict = field(default_factory=dict)
    prevalence: dict = field(default_factory=dict)
    duplicates: str = ""
    shortcuts: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    about: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)
    hashes: dict = field(default_factory=dict)
    citation: str = ""
    link: str = ""
    published: str = ""
    augmentation: Augmentation = Augmentation()


def read_card(path):
    """Reads a card from its YAML file."""
    try:
        facts = yaml.load(Path(path).read_text(), Loader=LOADER)
        for key in ("classes", "shortcuts", "subgroups"):
            facts[key] = tuple(facts.get(key, ()))
        changes = facts.get("augmentation", {})
        facts["augmentation"] = Augmentation(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in changes.items()}
        )
        return DatasetCard(**facts)
    except (yaml.YAMLError, TypeError) as error:
        raise ValueError(f"{path} is not a data card ({error}).") from error


# The loader written in C reads all cards in a few milliseconds.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CARDS = {path.stem: read_card(path) for path in sorted(FOLDER.glob("*.yaml"))}
