"""The drawn data sets: their splits, drawn once into the cache."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from medattn.data import cache
from medattn.data.dataset import Dataset, find_card
from medattn.data.sources import ArraySource
from medattn.data.synthetic import DOMAINS

SEED = 2022  # of the collections themselves; the seed of a study draws the subsets
FIRST_INDEX = {
    "train": 0,
    "validation": 1_000_000,
    "test": 2_000_000,
    "benchmark": 2_000_000,  # 2,000 images; a test split begins with the same ones
}


def load_drawn(name, *, split="train", size=64, preset="standard", shortcut=None):
    """Loads a whole split of a drawn data set; see `load_dataset`."""
    card = find_card(name)
    count = _count(card, split)
    images, masks, labels = _columns(name, split, count, size, preset, shortcut)
    ids = [f"{name}-{split}-{position:06d}" for position in range(count)]
    return Dataset(card, split, ids, labels, ArraySource(images, masks))


def draw_images(
    name, positions, *, split="test", size=64, preset="standard", shortcut=None
):
    """Draws a few images of a synthetic data set, at any size.

    The same retina can be had at the 64 pixels that a network sees and at 320 for the
    eye.

    Args:
        name: A drawn data set of `list_datasets()`.
        positions: Places in the split, integers from 0.
        split: `"train"`, `"validation"`, `"test"` or `"benchmark"`.
        size: Height and width in pixels, 32 to 512.
        preset: As in `load_dataset`.
        shortcut: As in `load_dataset`.

    Returns:
        The dict of `draw` in `medattn.data.synthetic`: `image` and `twin` uint8,
        `evidence`, `artefact` and `distractor` bool, `kinds`, `label`, `params`.

    Raises:
        ValueError: If a name or position is unknown, or the size is out of range.
    """
    card = find_card(name)
    if name not in DOMAINS:
        raise ValueError(
            f"{name!r} is not drawn. Expected one of {sorted(DOMAINS)}. "
            f"Received: name={name!r}"
        )
    count = _count(card, split)
    if not all(0 <= position < count for position in positions):
        raise ValueError(
            f"There is no such image in the {split} split of {name!r}. Expected "
            f"positions from 0 to {count - 1}. Received: {list(positions)}"
        )
    indices = [FIRST_INDEX[split] + position for position in positions]
    return DOMAINS[name].draw(
        indices, seed=SEED, size=size, preset=preset, shortcut=shortcut
    )


def _count(card, split):
    if split not in FIRST_INDEX:
        raise ValueError(
            f"Unknown split {split!r}. Expected one of {list(FIRST_INDEX)}. "
            f"Received: split={split!r}"
        )
    return card.sizes[split]


@lru_cache(maxsize=8)
def _columns(name, split, count, size, preset, shortcut):
    """Images uint8, evidence bool and labels of a split, drawn once a machine."""
    domain, first = DOMAINS[name], FIRST_INDEX[split]
    options = dict(seed=SEED, size=size, preset=preset, shortcut=shortcut)

    def make(start, stop):
        parts = [
            domain.draw(range(first + i, first + min(i + 64, stop)), **options)
            for i in range(start, stop, 64)
        ]
        return {
            column: np.concatenate([part[key] for part in parts])
            for column, key in (
                ("image", "image"),
                ("evidence", "evidence"),
                ("label", "label"),
            )
        }

    domain.draw([first], **options)  # refuses wrong options before any file is made
    key = cache.fingerprint(name, split, count, options, _code(name))
    folder = cache.cache_folder() / "drawn" / f"{name}-{split}-{size}-{key}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError:  # nowhere to write: draw into memory
        columns = make(0, count)
        return [columns[key] for key in ("image", "evidence", "label")]
    shards = cache.prepare(folder, count, make, title=f"drawing {name} {split}")
    return [shards.whole(key) for key in ("image", "evidence", "label")]


def _code(name):
    """The text of everything that draws a domain: a change draws anew."""
    domain = Path(DOMAINS[name].__file__).parent
    room = domain.parent
    files = [room / "common.py", room / "paint.py", *sorted(domain.glob("*.py"))]
    return [file.read_text() for file in files]
