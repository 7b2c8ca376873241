"""Batches of one or several arrays."""

import math
from collections.abc import Sequence

import keras
import numpy as np


class BatchSequence(keras.utils.PyDataset):
    """Batches of arrays, in order.

    Args:
        Xs: One array, or a list of arrays of the same length.
        batch_size: Samples a batch.
    """

    def __init__(self, Xs: np.ndarray | Sequence[np.ndarray], batch_size: int = 32):
        super().__init__()
        self.Xs = [Xs] if isinstance(Xs, np.ndarray) else list(Xs)
        self.batch_size = batch_size
        if len({len(each) for each in self.Xs}) != 1:
            raise ValueError(
                "The arrays do not fit together. Expected one length. Received: "
                f"{[len(each) for each in self.Xs]}"
            )

    def __len__(self) -> int:
        return math.ceil(len(self.Xs[0]) / self.batch_size)

    def __getitem__(self, index: int) -> np.ndarray | tuple[np.ndarray, ...]:
        part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        found = tuple(each[part] for each in self.Xs)
        return found[0] if len(found) == 1 else found
