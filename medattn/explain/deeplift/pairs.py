"""A tensor at the reference, and its difference from it."""

from typing import Any

import keras

from medattn.layers.tensor import Tensor


class Pair:
    """A tensor at the reference, and its difference from it.

    Args:
        reference: The tensor's value at the reference, `(batch or 1, ...)`.
        difference: Its value at the image minus that, `(batch, ...)`; None of a
            constant.
    """

    def __init__(self, reference: Tensor, difference: Tensor | None):
        self.reference: Tensor = reference
        self.difference: Tensor = difference

    @property
    def value(self) -> Tensor:
        """The tensor's value at the image."""
        if self.difference is None:
            return self.reference
        return self.reference + self.difference


def pairs_of(args: Any) -> list[Pair]:
    """Returns the pairs inside any nest of arguments."""
    return [leaf for leaf in keras.tree.flatten(args) if isinstance(leaf, Pair)]
