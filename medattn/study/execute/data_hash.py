"""The hash of the images and labels that a trial read."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from medattn.study.execute.splits import Splits

CHUNK = 256  # images


def data_sha256(splits: Splits) -> str:
    """Hashes names, labels and pixels of all splits that a trial read.

    Args:
        splits: The data sets of a trial by split.

    Returns:
        64 hexadecimal digits. Trials on the same data have the same, whatever their
        network.
    """
    digest = hashlib.sha256()
    for name in sorted(splits):
        split = splits[name]
        digest.update(f"{name} {len(split)}\n".encode())
        digest.update("\n".join(split.ids).encode())
        digest.update(np.ascontiguousarray(split.labels, "<i8").tobytes())
        for pixels in _pixels(split):
            digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def _pixels(split: Any) -> Iterator[np.ndarray]:
    """Yields the images of a split as they were read, uint8, a few at a time."""
    if not hasattr(split, "source"):  # the shapes, which are in memory
        yield np.rint(255 * split.arrays().images).astype(np.uint8)
        return
    for start in range(0, len(split), CHUNK):
        yield split.source.read(np.arange(start, min(start + CHUNK, len(split))))
