"""Where a data set's images come from: memory, prepared shards, or files."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from medattn.data.cache import Shards, cache_folder, fingerprint, prepare
from medattn.data.images import read_square

MOST_PIXELS = 64_000_000  # the largest dermoscopic photographs have 24 million


class ArraySource:
    """Images in memory.

    Args:
        images: `(n, height, width, 3)`, uint8.
        masks: `(n, height, width)` bool, or None.
    """

    def __init__(self, images, masks=None):
        self.images, self.masks = images, masks
        self.shape = images.shape[1:3]

    def read(self, positions):
        return self.images[positions]

    def read_masks(self, positions):
        return self.masks[positions]

    def take(self, positions):
        """Returns the source of some of the images."""
        if len(positions) == len(self.images) and (np.diff(positions) == 1).all():
            return self  # all of them, in order: nothing to copy
        masks = None if self.masks is None else self.masks[positions]
        return ArraySource(self.images[positions], masks)


class FileSource:
    """Image files, decoded when asked for, or once for all by `prepare`.

    Args:
        paths: The files, in the order of the images.
        size: Height and width of what is read.
        fit: `"pad"` keeps proportions, `"stretch"` does not.
        chosen: Which of the files this source reads; all if None. The cache is that of
            all files, so that regimes and splits share it.
        where: The row that names each file, for the sentence about a broken one.
    """

    images = masks = None

    def __init__(self, paths, size, *, fit="pad", chosen=None, where=None):
        self.where = where
        self.paths, self.size, self.fit = list(paths), size, fit
        self.shape = (size, size)
        self.chosen = np.arange(len(self.paths)) if chosen is None else chosen
        self._pool = ThreadPoolExecutor(4)
        self._shards = None
        if (self.folder / "index.json").exists():
            self._shards = Shards(self.folder)

    @property
    def folder(self):
        """Where the prepared images lie: another list, size or fit, another folder."""
        sizes = [os.path.getsize(p) for p in self.paths if os.path.exists(p)]
        key = fingerprint([str(p) for p in self.paths], sizes, self.size, self.fit, 2)
        return cache_folder() / "prepared" / key

    def read(self, positions):
        positions = self.chosen[np.asarray(positions)]
        if self._shards is not None:
            return self._shards.read("image", positions)
        return np.stack(list(self._pool.map(self._decode, positions)))

    def take(self, positions):
        """Returns the source of some of the images."""
        part = object.__new__(FileSource)
        part.__dict__ |= self.__dict__ | {"chosen": self.chosen[positions]}
        return part

    def prepare(self, title="decoding"):
        """Decodes all files once into shards; what is there already is kept."""

        def make(start, stop):
            rows = [self._decode(place) for place in range(start, stop)]
            return {"image": np.stack(rows)}

        self._shards = prepare(
            self.folder, len(self.paths), make, title=title, shard=64, workers=4
        )
        return self._shards

    def _decode(self, place):
        try:
            return decode(self.paths[place], self.size, self.fit)
        except ValueError as error:
            row = f"{self.where[place]}: the image " if self.where else ""
            raise ValueError(
                f"{row}{self.paths[place]} cannot be used. {error} Expected a whole "
                "image; fetch the file again; `medattn data check` lists all such files"
            ) from error


def decode(path, size, fit):
    """Reads a file as `(size, size, 3)` uint8."""
    return read_square(path, size, fit=fit, most_pixels=MOST_PIXELS)
