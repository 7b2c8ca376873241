"""Luong's local attention: only the values in a window around one place count."""

import keras
from keras import layers, ops

from medattn.layers.luong import LuongAttention
from medattn.layers.sequence import masked_softmax, places, sequence_channels, shown


@keras.saving.register_keras_serializable(package="medattn")
class LuongLocalAttention(LuongAttention):
    """Weighs the values in `[p_t - D, p_t + D]` by how well they fit the query.

    `"monotonic"` (the paper's local-m): `p_t = t`, and `scores = softmax(fit)` over
    the window. `"predicted"` (local-p): `p_t = S sigmoid(v tanh(W q_t))`, with `S`
    values in all, and `scores = softmax(fit) exp(-(s - p_t)^2 / (2 sigma^2))` with
    `sigma = D / 2`, so that `p_t` is learnt through the bell; these scores sum to less
    than one. `y_t = sum_s scores_ts h_s`.

    Places count from 0. All fits are computed and those outside the window are hidden,
    so that it is the paper's attention, though not its saving.

    Args:
        window: The `D` of the formula: values seen on either side.
        centre: `"predicted"` or `"monotonic"`.
        score: `"dot"`, `"general"` or `"concat"`, see `LuongAttention`.

    Input shape:
        `[(batch, queries, channels), (batch, values, dim)]`; a mask hides values at
        the end only, since `S` is the number of those that it shows.

    Output shape:
        `(batch, queries, dim)`

    Reference:
        [Luong et al., 2015](https://doi.org/10.18653/v1/D15-1166), section 3.2 with
        equations 9 and 10.
    """

    CENTRES = ("predicted", "monotonic")

    def __init__(self, window=10, centre="predicted", score="general", **kwargs):
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

    def build(self, input_shape):
        super().build(input_shape)
        if self.centre == "predicted":
            channels, _ = sequence_channels(self, input_shape)
            shared = dict(use_bias=False, dtype=self.dtype_policy)
            self.look = layers.Dense(channels, activation="tanh", name="look", **shared)
            self.place = layers.Dense(1, activation="sigmoid", name="place", **shared)
            self.look.build((None, None, channels))
            self.place.build((None, None, channels))

    def scores(self, inputs, mask=None):
        """Computes how much each query takes from each value.

        Args:
            inputs: `[query, values]`.
            mask: `[query_mask, value_mask]`, or None.

        Returns:
            Weights in [0, 1], `(batch, queries, values)`, zero outside the window.
        """
        query, values = inputs
        keep = shown(mask)
        distance = places(values) - self.centres(query, values, keep)
        near = ops.abs(distance) <= self.window  # (batch, queries, values)
        near = near if keep is None else ops.logical_and(near, keep)
        scores = masked_softmax(self.fit(query, values), near)
        if self.centre == "monotonic":
            return scores
        bell = ops.exp(-ops.square(distance) / (2 * (self.window / 2) ** 2))
        return scores * ops.cast(bell, scores.dtype)

    def centres(self, query, values, keep=None):
        """Computes `p_t` of each query, `(batch, queries, 1)`, float32."""
        if self.centre == "monotonic":
            return ops.transpose(places(query), (0, 2, 1))
        count = places(values)[:, :, -1:] + 1
        if keep is not None:
            count = ops.sum(ops.cast(keep, "float32"), axis=-1, keepdims=True)
        return count * ops.cast(self.place(self.look(query)), "float32")
