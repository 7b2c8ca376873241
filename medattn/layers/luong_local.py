"""Luong's local attention: only the values in a window around one position."""

from typing import Any, Literal

import keras
from keras import layers, ops

from medattn.layers.luong import LuongAttention, Score
from medattn.layers.sequence import (
    masked_softmax,
    positions,
    sequence_channels,
    visible_values,
)
from medattn.layers.tensor import Mask, Shape, Tensor


@keras.saving.register_keras_serializable(package="medattn")
class LuongLocalAttention(LuongAttention):
    """Weighs the values in `[p_t - D, p_t + D]` by how well they fit the query.

    `"monotonic"` (the paper's local-m): `p_t = t`, and `scores = softmax(fit)` over
    the window. `"predicted"` (local-p): `p_t = S sigmoid(v tanh(W q_t))`, with `S`
    values in total, and `scores = softmax(fit) exp(-(s - p_t)^2 / (2 sigma^2))` with
    `sigma = D / 2`, so that `p_t` is learnt through the Gaussian; these scores sum to
    less than one. `y_t = sum_s scores_ts h_s`.

    Positions count from 0. All fits are computed and those outside the window are
    masked: the result is the paper's, but no computation is saved.

    Args:
        window: The `D` of the formula: values seen on either side.
        centre: `"predicted"` or `"monotonic"`.
        score: `"dot"`, `"general"` or `"concat"`, see `LuongAttention`.

    Input shape:
        `[(batch, queries, channels), (batch, values, dim)]`; a mask may hide values
        at the end only, since `S` is the number of unmasked values.

    Output shape:
        `(batch, queries, dim)`

    Reference:
        [Luong et al., 2015](https://doi.org/10.18653/v1/D15-1166), section 3.2 with
        equations 9 and 10.
    """

    CENTRES = ("predicted", "monotonic")

    def __init__(
        self,
        window: float = 10,
        centre: Literal["predicted", "monotonic"] = "predicted",
        score: Score = "general",
        **kwargs: Any,
    ) -> None:
        super().__init__(score, **kwargs)
        if not window > 0:
            raise ValueError(
                "The window reaches to either side of its centre. Expected window > 0. "
                f"Received: window={window}"
            )
        if centre not in self.CENTRES:
            raise ValueError(
                f"Unknown centre of the window. Expected one of {self.CENTRES}. "
                f"Received: centre={centre!r}"
            )
        self.window = window
        self.centre = centre

    def build(self, input_shape: list[Shape]) -> None:
        super().build(input_shape)
        if self.centre == "predicted":
            channels, _ = sequence_channels(self, input_shape)
            shared = dict(use_bias=False, dtype=self.dtype_policy)
            self.look = layers.Dense(channels, activation="tanh", name="look", **shared)
            self.place = layers.Dense(1, activation="sigmoid", name="place", **shared)
            self.look.build((None, None, channels))
            self.place.build((None, None, channels))

    def scores(self, inputs: list[Tensor], mask: Mask = None) -> Tensor:
        """Computes how much each query takes from each value.

        Args:
            inputs: `[query, values]`.
            mask: `[query_mask, value_mask]`, or None.

        Returns:
            Weights in [0, 1], `(batch, queries, values)`, zero outside the window.
        """
        query, values = inputs
        keep = visible_values(mask)
        distance = positions(values) - self.centres(query, values, keep)
        inside = ops.abs(distance) <= self.window  # (batch, queries, values)
        inside = inside if keep is None else ops.logical_and(inside, keep)
        scores = masked_softmax(self.fit(query, values), inside)
        if self.centre == "monotonic":
            return scores
        gaussian = ops.exp(-ops.square(distance) / (2 * (self.window / 2) ** 2))
        return scores * ops.cast(gaussian, scores.dtype)

    def centres(
        self, query: Tensor, values: Tensor, keep: Tensor | None = None
    ) -> Tensor:
        """Computes `p_t` of each query, `(batch, queries, 1)`, float32."""
        if self.centre == "monotonic":
            return ops.transpose(positions(query), (0, 2, 1))
        count = positions(values)[:, :, -1:] + 1
        if keep is not None:
            count = ops.sum(ops.cast(keep, "float32"), axis=-1, keepdims=True)
        return count * ops.cast(self.place(self.look(query)), "float32")
