"""Attention between tokens: rollout, the scores of heads, maps of the class token."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from medattn.explain.attention.reader import AttentionReader
from medattn.explain.backend import value_and_gradients
from medattn.explain.spatial import spread, token_grid, upsampled
from medattn.layers import MultiHeadSelfAttention


class Rollout(AttentionReader):
    """Attention, multiplied from the class token through all layers to the patches.

    R = A_L' ... A_2' A_1' with A' = (A + 1) / 2, where A is the mean over heads and 1
    is the identity, for the residual connection; the map is the class token's row of R.
    Without a class token, it is the mean of all rows. It is the same for every class.

    Args:
        start_layer: The first layer of the product, from 0.

    Reference:
        [Abnar and Zuidema, 2020](https://arxiv.org/abs/2005.00928), section 3 and
        equation 1.
    """

    options = {"start_layer": 0}
    start_layer: int
    layer_class = MultiHeadSelfAttention

    def prepare(self) -> None:
        super().prepare()
        layers = len(self.stages)
        is_integer = isinstance(self.start_layer, int) and not isinstance(
            self.start_layer, bool
        )
        if not is_integer or not 0 <= self.start_layer < layers:
            raise ValueError(
                "There is no such layer. Expected a start_layer from 0 to "
                f"{layers - 1}. Received: start_layer={self.start_layer!r}"
            )
        tokens = {step.outputs[0].shape[1] for step in self.stages}
        shapes = [tensor.shape[1:3] for tensor in self.model.inputs]
        grids = [token_grid(n, shapes[0]) for n in tokens if n is not None]
        if len(grids) != 1 or grids[0] is None or len(shapes) > 1:
            raise ValueError(
                "The tokens have no positions in the image. Expected one image, and in "
                "every layer a token for each square patch of it, with at most a class "
                f"token before them. Received: {sorted(tokens, key=str)} tokens and "
                f"images of {shapes}"
            )
        self.first, self.rows, self.columns = grids[0]
        self._read = value_and_gradients(
            lambda images, neurons: (0.0, self.read(images)[1]), gradients=False
        )

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        _, scores = self._read(images, neurons)
        factors = [(each.mean(axis=1) + np.eye(each.shape[-1])) / 2 for each in scores]
        return self._rolled_out(factors[self.start_layer :], images)

    def _rolled_out(
        self, factors: Sequence[np.ndarray], images: list[np.ndarray]
    ) -> Sequence[np.ndarray]:
        """Multiplies the layers' matrices; returns the class token's row as a map."""
        total = factors[0]  # (batch, tokens, tokens)
        for factor in factors[1:]:
            total = factor @ total
        row = total[:, 0] if self.first else total.mean(axis=1)
        maps = row[:, self.first :].reshape(-1, self.rows, self.columns)
        return [spread(upsampled(maps, images[0].shape[1:3]), images[0])]


def attention_heads(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """Reads the scores of every head of a transformer.

    Args:
        model: A functional or Sequential `keras.Model` with `MultiHeadSelfAttention`.
        x: `(batch, height, width, channels)`, pixels in [0, 1].

    Returns:
        `(batch, layers, heads, tokens, tokens)`: how much each token (row) takes from
        each (column); every row sums to one. Token 0 of a DeiT is the class token.
    """
    reader = Rollout(model)
    images, neurons = reader._checked(x, None)
    return np.stack(reader._read(images, neurons)[1], axis=1)


def class_token_maps(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """Maps the class token's attention to the image, head by head.

    Args:
        model: See `attention_heads`.
        x: `(batch, height, width, channels)`, pixels in [0, 1].

    Returns:
        `(batch, layers, heads, height, width)`, the class token's attention to each
        patch, enlarged bilinearly.
    """
    return class_token_reader(model)(x)


def class_token_reader(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Compiles `class_token_maps` once, for many calls with one model.

    Args:
        model: See `attention_heads`.

    Returns:
        A function from images to what `class_token_maps` returns.
    """
    reader = Rollout(model)
    if not reader.first:
        raise ValueError(
            "There is no class token. Expected a model with one token "
            f"before the patches. Received: {model.name!r}, with "
            f"{reader.rows * reader.columns} patches and nothing else"
        )

    def read(x: np.ndarray) -> np.ndarray:
        images, neurons = reader._checked(x, None)
        scores = np.stack(reader._read(images, neurons)[1], axis=1)
        height, width = images[0].shape[1:3]
        patches = scores[:, :, :, 0, 1:].reshape(-1, reader.rows, reader.columns)
        large = upsampled(patches, (height, width))
        return large.reshape(*scores.shape[:3], height, width)

    return read
