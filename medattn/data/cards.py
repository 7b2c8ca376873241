"""What is known about each data set, as facts that tests check."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DatasetCard:
    """The facts about one data set that travel beside its images.

    Attributes:
        name: The name that `load_dataset` takes.
        title: What it shows, in words for a learner.
        classes: Class names in the order of the labels.
        sizes: Images in each split.
        licence: SPDX name of the licence.
        source: Where the images come from.
        stands_for: The data set of the study that it stands in for.
        warning: What it must not be used for.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    sizes: dict[str, int]
    licence: str
    source: str
    stands_for: str
    warning: str


CARDS = {
    "fundus": DatasetCard(
        name="fundus",
        title="Drawn retinas, healthy or with diabetic lesions",
        classes=("healthy", "diseased"),
        sizes={"train": 4000, "validation": 500, "test": 1000},
        licence="Apache-2.0",
        source="drawn by medattn.data.synthetic.fundus, seed 2022",
        stands_for="APTOS2019",
        warning=(
            "Drawings, not photographs: not clinically validated, not for diagnosis."
        ),
    ),
}
