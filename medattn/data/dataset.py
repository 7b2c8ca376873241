"""One data set, one split, one regime: its card, its images, its batches."""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from medattn.data.augment import Augmentation
from medattn.data.cards import CARDS, DatasetCard
from medattn.data.sources import ImageSource

if TYPE_CHECKING:
    import tensorflow as tf


class Arrays(NamedTuple):
    """The images, labels and masks of a data set in memory."""

    images: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None


class Dataset:
    """Images with labels, and masks of the evidence where the truth is known.

    Attributes:
        card: The `DatasetCard`.
        split: Name of the split.
        ids: One name an image, `"fundus-test-000017"`.
        labels: Classes, `(images,)`, int64; `(images, classes)` where an image can
            have several.
        patients: One name an image, or None where no patient is known.
        source: Where the images come from.
    """

    def __init__(
        self,
        card: DatasetCard,
        split: str,
        ids: Iterable[str],
        labels: np.ndarray,
        source: ImageSource,
        *,
        patients: np.ndarray | None = None,
    ) -> None:
        self.card = card
        self.split = split
        self.ids = list(ids)
        self.labels = np.asarray(labels, np.int64)
        self.patients = patients
        self.source = source

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"<Dataset {self.card.name} {self.split}, {len(self)} images>"

    @property
    def ids_hash(self) -> str:
        """SHA-256 of the ids, one a line: which images, and in which order."""
        return hashlib.sha256("\n".join(self.ids).encode()).hexdigest()

    def take(self, positions: np.ndarray) -> "Dataset":
        """Returns the data set of some of the images."""
        positions = np.asarray(positions)
        return Dataset(
            self.card,
            self.split,
            [self.ids[position] for position in positions],
            self.labels[positions],
            self.source.take(positions),
            patients=None if self.patients is None else self.patients[positions],
        )

    def arrays(self) -> Arrays:
        """Returns everything at once.

        Returns:
            `images` `(n, height, width, 3)` float32 in [0, 1], `labels` as above and
            `masks` `(n, height, width)` bool, true where the evidence lies, or None
            where it is not known.
        """
        everything = np.arange(len(self))
        images = self.source.read(everything).astype(np.float32) / 255
        masks = self.source.masks
        if masks is not None:
            masks = masks[everything]
        return Arrays(images, self.labels, masks)

    def batches(
        self,
        batch_size: int = 32,
        *,
        training: bool = False,
        seed: int = 0,
        start: int = 0,
        augmentation: Augmentation | None = None,
        masks: bool = False,
        device: str | None = None,
    ) -> "tf.data.Dataset":
        """Returns the images as a pipeline of batches.

        With `training=True` the stream has no end, is shuffled anew in each epoch, and
        augments as the card says. All random numbers depend on seed, epoch and image
        alone, so the same seed gives the same bits, also when a run resumes at `start`.

        Args:
            batch_size: Images in a batch.
            training: Whether to shuffle, repeat and augment.
            seed: Seed of order and augmentation.
            start: Batches already seen, for a run that resumes.
            augmentation: An `Augmentation`; by default that of the card.
            masks: Whether each batch includes the masks of the evidence, warped like
                their images.
            device: Name of the accelerator to which the next batch is copied while it
                computes, `"GPU:0"`; then the stream takes no further transformation.

        Returns:
            A `tf.data.Dataset` of `(image, label)`: `(batch, height, width, 3)` float32
            in [0, 1] and `(batch,)` int64; with `masks=True` a third part,
            `(batch, height, width)` bool.
        """
        from medattn.data.pipeline import batches

        if masks and self.source.masks is None:
            raise ValueError(
                f"No evidence is known for {self.card.name!r}. Expected a "
                "synthetic data set where masks=True. Received: masks=True"
            )
        return batches(
            self.source,
            self.labels,
            self.ids,
            batch_size,
            training=training,
            seed=seed,
            start=start,
            augmentation=augmentation or self.card.augmentation,
            masks=masks,
            device=device,
        )


def list_datasets() -> list[str]:
    """Returns the names that `load_dataset` takes."""
    return sorted(CARDS)


def find_card(name: str) -> DatasetCard:
    """Returns the `DatasetCard` of a data set, or raises with the known names."""
    if name not in CARDS:
        raise ValueError(
            f"Unknown data set {name!r}. Expected one of {list_datasets()}. "
            f"Received: name={name!r}"
        )
    return CARDS[name]
