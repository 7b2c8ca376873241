"""One data set, one split, one regime: its card, its images, its batches."""

from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from medattn.data.cards import CARDS
from medattn.data.regimes import take_regime
from medattn.data.synthetic import fundus

Arrays = namedtuple("Arrays", "images labels masks")

SEED = 2022  # of the collections themselves; the seed of a study draws the subsets
FIRST_INDEX = {"train": 0, "validation": 1_000_000, "test": 2_000_000}
CHUNK = 64  # images drawn at once, so that memory stays small


def list_datasets():
    """Returns the names that `load_dataset` takes."""
    return sorted(CARDS)


def find_card(name):
    """Returns the `DatasetCard` of a data set, or lists the names there are."""
    if name not in CARDS:
        raise ValueError(
            f"Unknown data set {name!r}. Expected one of {list_datasets()}. "
            f"Received: name={name!r}"
        )
    return CARDS[name]


def load_dataset(name, *, split="train", regime=1.0, seed=0, size=64):
    """Loads one split of a data set.

    The regime thins training and validation images, so that a model trained on 1% is
    not watched with the help of all the labels; validation keeps at least 20 images,
    and the test split is always whole.

    Args:
        name: One of `list_datasets()`.
        split: `"train"`, `"validation"` or `"test"`.
        regime: Share of the split to use, in (0, 1].
        seed: Which draw of that share.
        size: Height and width of the images in pixels.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: If the name or the split is unknown, the size is out of range, or
            the regime leaves too few images of a class.
    """
    card = find_card(name)
    count = card.sizes[_checked_split(split)]
    images, masks, labels = _drawn(split, count, size)
    positions = np.arange(len(labels))
    if split != "test":
        # A validation set of a few images can hold one class only; it is thinned to
        # no fewer than 20, which is still far below the training images at 10%.
        share = regime if split == "train" else max(regime, 20 / len(labels))
        positions = take_regime(labels, share, seed=seed)
    return Dataset(card, split, positions, images, labels, masks)


def draw_images(name, positions, *, split="test", size=64):
    """Draws a few images of a synthetic data set, at any size.

    The same retina can be had at the 64 pixels that a network sees and at 320 for the
    eye.

    Args:
        name: A synthetic data set of `list_datasets()`.
        positions: Places in the split, integers from 0.
        split: `"train"`, `"validation"` or `"test"`.
        size: Height and width in pixels, 32 to 512.

    Returns:
        The dict of `medattn.data.synthetic.fundus.draw`: `image` and `twin` uint8,
        `evidence` bool, `label`, `grade`, `distractors`.

    Raises:
        ValueError: If a name or position is unknown, or the size is out of range.
    """
    card = find_card(name)
    count = card.sizes[_checked_split(split)]
    if not all(0 <= position < count for position in positions):
        raise ValueError(
            f"There is no such image in the {split} split of {name!r}. Expected "
            f"positions from 0 to {count - 1}. Received: {list(positions)}"
        )
    first = FIRST_INDEX[split]
    return fundus.draw(
        [first + position for position in positions], seed=SEED, size=size
    )


class Dataset:
    """Images with labels, and masks of the evidence where the truth is known.

    Attributes:
        card: The `DatasetCard`.
        split: Name of the split.
        ids: One name an image, `"fundus-test-000017"`.
        labels: Classes, `(images,)`, int64.
    """

    def __init__(self, card, split, positions, images, labels, masks):
        self.card = card
        self.split = split
        self.ids = [f"{card.name}-{split}-{position:06d}" for position in positions]
        self.labels = labels[positions]
        self._positions = positions
        self._images = images
        self._masks = masks

    def __len__(self):
        return len(self.labels)

    def __repr__(self):
        return f"<Dataset {self.card.name} {self.split}, {len(self)} images>"

    def arrays(self):
        """Returns everything at once.

        Returns:
            `images` `(n, height, width, 3)` float32 in [0, 1], `labels` `(n,)` int64
            and `masks` `(n, height, width)` bool, true where the evidence lies.
        """
        images = self._images[self._positions].astype(np.float32) / 255
        return Arrays(images, self.labels, self._masks[self._positions])

    def batches(self, batch_size=32, *, training=False, seed=0):
        """Returns the images as a pipeline of batches.

        With `training=True` the stream has no end, is shuffled anew at each pass, and
        flips and quarter-turns the images. The seed and an image's place in the stream
        decide everything, so the same seed gives the same bits.

        Args:
            batch_size: Images in a batch.
            training: Whether to shuffle, repeat and augment.
            seed: Seed of order and augmentation.

        Returns:
            A `tf.data.Dataset` of `(image, label)`: `(batch, height, width, 3)` float32
            in [0, 1] and `(batch,)` int64.
        """
        from medattn.data.pipeline import batches

        return batches(
            self._images[self._positions],
            self.labels,
            batch_size,
            training=training,
            seed=seed,
        )


def _checked_split(split):
    if split not in FIRST_INDEX:
        raise ValueError(
            f"Unknown split {split!r}. Expected one of {list(FIRST_INDEX)}. "
            f"Received: split={split!r}"
        )
    return split


@lru_cache(maxsize=6)
def _drawn(split, count, size):
    """Draws a split once a process: images uint8, evidence bool, labels."""
    first = FIRST_INDEX[split]
    chunks = [
        range(first + start, first + min(start + CHUNK, count))
        for start in range(0, count, CHUNK)
    ]
    with ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(lambda c: fundus.draw(c, seed=SEED, size=size), chunks))
    columns = [
        np.concatenate([part[key] for part in parts])
        for key in ("image", "evidence", "label")
    ]
    for column in columns:
        column.flags.writeable = False  # shared by every Dataset of this process
    return columns
