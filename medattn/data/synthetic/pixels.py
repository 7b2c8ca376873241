"""Pixels of a batch of images: coarse and fine, all or some of them, and 8 bits."""

import numpy as np


class Region:
    """Some pixels of a batch of images, and the finer pixels that they average.

    Computing them alone gives what computing all gives, in less time.

    Args:
        chosen: Which pixels of the images, `(n, height, width)`, bool.
        factor: Fine pixels a pixel, each way, 1 or 2.

    Attributes:
        coarse: Image, row and column of each pixel, `(pixels,)` each.
        image, row, column: The same of each fine pixel, `(fine pixels,)`, those of one
            pixel side by side.
    """

    def __init__(self, chosen: np.ndarray, factor: int) -> None:
        self.factor = factor
        self.coarse = np.nonzero(chosen)
        down, side = np.divmod(np.arange(factor * factor), factor)
        image, row, column = self.coarse
        self.image = np.repeat(image, factor * factor)
        self.row = (factor * row[:, None] + down).ravel()
        self.column = (factor * column[:, None] + side).ravel()
        _, height, width = (factor * length for length in chosen.shape)
        self._flat = (self.image * height + self.row) * width + self.column

    def take(self, fine: np.ndarray) -> np.ndarray:
        """Takes the fine pixels, `(..., n, height, width)` to `(..., fine pixels)`."""
        return np.take(fine.reshape(*fine.shape[:-3], -1), self._flat, axis=-1)

    def put(self, fine: np.ndarray, values: np.ndarray | float) -> None:
        """Writes values to the fine pixels, in place."""
        fine.reshape(*fine.shape[:-3], -1)[..., self._flat] = values

    def repeat(self, values: np.ndarray) -> np.ndarray:
        """Gives every fine pixel its image's value, `(n,)` to `(fine pixels,)`."""
        return np.take(values, self.image)

    def shrink(self, values: np.ndarray) -> np.ndarray:
        """Averages the fine pixels of each pixel, `(..., fine pixels)`."""
        f = self.factor
        means = shrink(values.reshape(-1, f, f), f)
        return means.reshape(*values.shape[:-1], -1)

    def spread(self, where: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        """Marks the pixels that hold a true fine pixel, in a mask of `shape`."""
        mask = np.zeros(shape, bool)
        mask[self.coarse] = where.reshape(-1, self.factor**2).any(1)
        return mask


def shrink(fine: np.ndarray, factor: int) -> np.ndarray:
    """Averages 2 x 2 pixels of `(n, height, width, ...)` into one if `factor` is 2."""
    if factor == 1:
        return fine
    rows = fine[:, ::2] + fine[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float64(0.25)


def shrink_mask(fine: np.ndarray, factor: int) -> np.ndarray:
    """Marks the pixels that hold a true fine pixel."""
    if factor == 1:
        return fine
    rows = fine[:, ::2] | fine[:, 1::2]
    return rows[:, :, ::2] | rows[:, :, 1::2]


def in_planes(colours: np.ndarray) -> np.ndarray:
    """Reshapes one colour an image, `(n, 3)`, to planes, `(3, n, 1, 1)`."""
    return np.ascontiguousarray(colours.T)[:, :, None, None]


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Rounds `[0, 1]` to 8 bits."""
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
