"""The synthetic data sets: their splits, rendered once into the cache."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from medattn.data import cache
from medattn.data.cards import DatasetCard
from medattn.data.dataset import Dataset, find_card
from medattn.data.sources import ArraySource
from medattn.data.synthetic import DOMAINS

SEED = 2022  # of the data sets themselves; the seed of a study samples the subsets
FIRST_INDEX = {
    "train": 0,
    "validation": 1_000_000,
    "test": 2_000_000,
    "benchmark": 2_000_000,  # 2,000 images; a test split begins with the same ones
}
COLUMNS = ("image", "evidence", "label")  # of a rendered batch, kept in the cache


def load_synthetic(
    name: str,
    *,
    split: str = "train",
    size: int = 64,
    preset: str = "standard",
    shortcut: float | None = None,
) -> Dataset:
    """Loads a whole split of a synthetic data set; see `load_dataset`."""
    card = find_card(name)
    count = _count(card, split)
    images, masks, labels = _columns(name, split, count, size, preset, shortcut)
    ids = [f"{name}-{split}-{position:06d}" for position in range(count)]
    return Dataset(card, split, ids, labels, ArraySource(images, masks))


def draw_images(
    name: str,
    positions: Sequence[int],
    *,
    split: str = "test",
    size: int = 64,
    preset: str = "standard",
    shortcut: float | None = None,
) -> dict[str, Any]:
    """Renders a few images of a synthetic data set, at any size.

    The same retina can be had at the 64 pixels that a network sees and at 320 for the
    eye.

    Args:
        name: A synthetic data set of `list_datasets()`.
        positions: Positions in the split, integers from 0.
        split: `"train"`, `"validation"`, `"test"` or `"benchmark"`.
        size: Height and width in pixels, 32 to 512.
        preset: As in `load_dataset`.
        shortcut: As in `load_dataset`.

    Returns:
        The dict of `render` in `medattn.data.synthetic`: `image` and `twin` uint8,
        `evidence`, `artefact` and `distractor` bool, `kinds`, `label`, `params`.

    Raises:
        ValueError: If a name or position is unknown, or the size is out of range.
    """
    card = find_card(name)
    if name not in DOMAINS:
        raise ValueError(
            f"{name!r} is not synthetic. Expected one of {sorted(DOMAINS)}. "
            f"Received: name={name!r}"
        )
    count = _count(card, split)
    if not all(0 <= position < count for position in positions):
        raise ValueError(
            f"There is no such image in the {split} split of {name!r}. Expected "
            f"positions from 0 to {count - 1}. Received: {list(positions)}"
        )
    indices = [FIRST_INDEX[split] + position for position in positions]
    return DOMAINS[name].render(
        indices, seed=SEED, size=size, preset=preset, shortcut=shortcut
    )


def _count(card: DatasetCard, split: str) -> int:
    if split not in FIRST_INDEX:
        raise ValueError(
            f"Unknown split {split!r}. Expected one of {list(FIRST_INDEX)}. "
            f"Received: split={split!r}"
        )
    return card.sizes[split]


@lru_cache(maxsize=8)
def _columns(
    name: str, split: str, count: int, size: int, preset: str, shortcut: float | None
) -> list[np.ndarray]:
    """Images uint8, evidence bool and labels of a split, rendered once a machine."""
    domain, first = DOMAINS[name], FIRST_INDEX[split]
    options = dict(seed=SEED, size=size, preset=preset, shortcut=shortcut)

    def make(start: int, stop: int) -> dict[str, np.ndarray]:
        batches = [
            domain.render(range(first + i, first + min(i + 64, stop)), **options)
            for i in range(start, stop, 64)
        ]
        return {
            column: np.concatenate([batch[column] for batch in batches])
            for column in COLUMNS
        }

    domain.render([first], **options)  # refuses wrong options before a file is made
    key = cache.fingerprint(name, split, count, options, _code(name))
    folder = cache.cache_folder() / "synthetic" / f"{name}-{split}-{size}-{key}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError:  # the cache cannot be written: render into memory
        columns = make(0, count)
        return [columns[column] for column in COLUMNS]
    shards = cache.prepare(folder, count, make, title=f"drawing {name} {split}")
    return [shards.load(column) for column in COLUMNS]


def _code(name: str) -> list[str]:
    """The source of everything that renders a domain: a change renders anew."""
    domain = Path(str(DOMAINS[name].__file__)).parent
    room = domain.parent
    shared = [room / file for file in ("common.py", "paint.py", "pixels.py")]
    return [file.read_text() for file in (*shared, *sorted(domain.glob("*.py")))]
