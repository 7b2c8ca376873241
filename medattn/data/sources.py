"""Where a data set's images come from: memory, prepared shards, or files."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np

from medattn.data.cache import Shards, cache_folder, fingerprint, prepare
from medattn.data.images import Fit, read_square

MAXIMUM_PIXELS = 64_000_000  # the largest dermoscopic photographs have 24 million


class ImageSource(Protocol):
    """Images of one size, read by their positions."""

    @property
    def images(self) -> np.ndarray | None:
        """All of them, `(n, height, width, 3)`, uint8, where they are in memory."""

    @property
    def masks(self) -> np.ndarray | None:
        """`(n, height, width)` bool, where the evidence is known."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""

    def read(self, positions: np.ndarray) -> np.ndarray:
        """Returns some of the images, `(positions, height, width, 3)`, uint8."""
        ...

    def take(self, positions: np.ndarray) -> "ImageSource":
        """Returns the source of some of the images."""
        ...


class ArraySource:
    """Images in memory.

    Args:
        images: `(n, height, width, 3)`, uint8.
        masks: `(n, height, width)` bool, or None.
    """

    def __init__(self, images: np.ndarray, masks: np.ndarray | None = None) -> None:
        self.images, self.masks = images, masks
        self.shape: tuple[int, int] = (images.shape[1], images.shape[2])

    def read(self, positions: np.ndarray) -> np.ndarray:
        return self.images[positions]

    def take(self, positions: np.ndarray) -> "ArraySource":
        """Returns the source of some of the images."""
        if len(positions) == len(self.images) and (np.diff(positions) == 1).all():
            return self  # all of them, in order: nothing to copy
        masks = None if self.masks is None else self.masks[positions]
        return ArraySource(self.images[positions], masks)


class FileSource:
    """Image files, decoded on request, or once in advance by `prepare`.

    Args:
        paths: The files, in the order of the images.
        size: Height and width of the images that are read.
        fit: `"pad"` keeps proportions, `"stretch"` does not.
        chosen: Which of the files this source reads; all if None. The cache is that of
            all files, so that regimes and splits share it.
        rows: The table row that names each file, for the error about a broken one.
    """

    images = masks = None

    def __init__(
        self,
        paths: Iterable[str | Path],
        size: int,
        *,
        fit: Fit = "pad",
        chosen: np.ndarray | None = None,
        rows: Sequence[str] | None = None,
    ) -> None:
        self.rows = rows
        self.paths, self.size, self.fit = list(paths), size, fit
        self.shape = (size, size)
        self.chosen = np.arange(len(self.paths)) if chosen is None else chosen
        self._pool = ThreadPoolExecutor(4)
        self._shards: Shards | None = None
        if (self.folder / "index.json").exists():
            self._shards = Shards(self.folder)

    @property
    def folder(self) -> Path:
        """The folder of the prepared images; it depends on files, size and fit."""
        sizes = [os.path.getsize(p) for p in self.paths if os.path.exists(p)]
        key = fingerprint([str(p) for p in self.paths], sizes, self.size, self.fit, 2)
        return cache_folder() / "prepared" / key

    def read(self, positions: np.ndarray) -> np.ndarray:
        positions = self.chosen[np.asarray(positions)]
        if self._shards is not None:
            return self._shards.read("image", positions)
        return np.stack(list(self._pool.map(self._decode, positions)))

    def take(self, positions: np.ndarray) -> "FileSource":
        """Returns the source of some of the images."""
        part = object.__new__(FileSource)
        part.__dict__ |= self.__dict__ | {"chosen": self.chosen[positions]}
        return part

    def prepare(self, title: str = "decoding") -> Shards:
        """Decodes all files once into shards; finished shards are kept."""

        def make(start: int, stop: int) -> dict[str, np.ndarray]:
            return {"image": np.stack([self._decode(i) for i in range(start, stop)])}

        self._shards = prepare(
            self.folder, len(self.paths), make, title=title, shard=64, workers=4
        )
        return self._shards

    def _decode(self, index: int) -> np.ndarray:
        try:
            return decode(self.paths[index], self.size, self.fit)
        except ValueError as error:
            row = f"{self.rows[index]}: the image " if self.rows else ""
            raise ValueError(
                f"{row}{self.paths[index]} cannot be used. {error} Expected a complete "
                "image; fetch the file again; `medattn data check` lists all such files"
            ) from error


def decode(path: str | Path, size: int, fit: Fit) -> np.ndarray:
    """Reads a file as `(size, size, 3)` uint8."""
    return read_square(path, size, fit=fit, most_pixels=MAXIMUM_PIXELS)
