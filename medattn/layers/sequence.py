"""The form that sequence attentions share: each query weighs all values."""

from typing import Any

import keras
from keras import ops

from medattn.layers.attention import AttentionLayer
from medattn.layers.tensor import Mask, Shape, Tensor


class SequenceAttention(AttentionLayer):
    """Answers each query with a sum of values, weighted by how well they fit.

    `scores_ts = softmax_s(fit(query_t, value_s))`, and `y_t = sum_s scores_ts value_s`

    A subclass defines `fit`. Called like `keras.layers.AdditiveAttention`; the values
    are also the keys.

    Call arguments:
        inputs: `[query, values]`, of shapes `(batch, queries, channels)` and
            `(batch, values, dim)`: the decoder's states and the encoder's, or words
            and the positions of an image.
        mask: `[query_mask, value_mask]`, each None or bool, `(batch, queries)` and
            `(batch, values)`. A masked value gets the score 0. A masked query gets the
            answer 0, and so does a query whose values are all masked. Keras passes
            the masks of an `Embedding(mask_zero=True)` automatically.

    Returns:
        The answers, `(batch, queries, dim)`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def fit(self, query: Tensor, values: Tensor) -> Tensor:
        """Computes how well values fit queries, `(batch, queries, values)`."""
        raise TypeError(
            f"{type(self).__name__} does not define its fit. Expected a subclass "
            "of SequenceAttention that defines `fit(query, values)`. "
            f"Received: {self!r}"
        )

    def scores(self, inputs: list[Tensor], mask: Mask = None) -> Tensor:
        """Computes how much each query takes from each value.

        Args:
            inputs: `[query, values]`.
            mask: `[query_mask, value_mask]`, or None.

        Returns:
            Weights in [0, 1], `(batch, queries, values)`; each row sums to one.
        """
        query, values = inputs
        return masked_softmax(self.fit(query, values), visible_values(mask))

    def mix(self, inputs: list[Tensor], scores: Tensor) -> Tensor:
        """Adds up the values by the scores."""
        return ops.matmul(scores, inputs[1])

    def call(self, inputs: list[Tensor], mask: Mask = None) -> Tensor:
        outputs = self.mix(inputs, self.scores(inputs, mask=mask))
        return zero_masked_queries(outputs, mask)

    def compute_mask(self, inputs: list[Tensor], mask: Mask = None) -> Tensor | None:
        return None if mask is None else mask[0]

    def compute_output_shape(  # type: ignore[override]  # of two inputs, not one
        self, input_shape: list[Shape]
    ) -> Shape:
        query, values = input_shape
        return (*query[:-1], values[-1])


def sequence_channels(
    layer: keras.layers.Layer, input_shape: list[Shape]
) -> tuple[int, int]:
    """Returns the channels of queries and of values.

    Raises:
        ValueError: If the input is not two sequences with known channels.
    """
    shapes = [tuple(s) for s in input_shape if isinstance(s, list | tuple)]
    channels = [s[-1] for s in shapes if len(s) == 3]
    if len(shapes) != 2 or len(channels) != 2 or None in channels:
        raise ValueError(
            f"{type(layer).__name__} takes two sequences with known channels. Expected "
            "[query, values] of shapes (batch, queries, channels) and (batch, values, "
            f"dim). Received: input_shape={input_shape}"
        )
    query_channels, value_channels = channels
    assert query_channels is not None and value_channels is not None
    return query_channels, value_channels


def additive_fit(query: Tensor, keys: Tensor, vector: keras.layers.Layer) -> Tensor:
    """Computes `v tanh(query_t + key_s)` for every query and every key."""
    sums = query[:, :, None] + keys[:, None]  # (batch, queries, values, units)
    return vector(ops.tanh(sums))[..., 0]


def visible_values(mask: Mask) -> Tensor | None:
    """Returns which values are not masked, `(batch, 1, values)`; None if all."""
    if mask is None or mask[1] is None:
        return None
    return ops.cast(ops.expand_dims(mask[1], 1), "bool")


def zero_masked_queries(outputs: Tensor, mask: Mask) -> Tensor:
    """Sets the answers of masked queries to zero, as Keras's attention layers do."""
    if mask is None or mask[0] is None:
        return outputs
    return outputs * ops.cast(ops.expand_dims(mask[0], -1), outputs.dtype)


def masked_softmax(fit: Tensor, keep: Tensor | None = None) -> Tensor:
    """Computes the softmax over the values in `keep`; zeros where there are none.

    Args:
        fit: `(batch, queries, values)`.
        keep: Bool, broadcasts to `fit`; None keeps all values.
    """
    if keep is None:
        return ops.softmax(fit, axis=-1)
    # The row's minimum, not a huge negative number: half precision has none.
    fit = ops.where(keep, fit, ops.min(fit, axis=-1, keepdims=True))
    weight = ops.exp(fit - ops.max(fit, axis=-1, keepdims=True))
    weight = weight * ops.cast(keep, fit.dtype)
    # The largest kept value has weight 1, so a sum below 1/2 means none is kept.
    return weight / ops.maximum(ops.sum(weight, axis=-1, keepdims=True), 0.5)


def positions(values: Tensor) -> Tensor:
    """Numbers the values from 0, `(batch, 1, values)`, float32.

    The number of values may be unknown when the graph is built.
    """
    ones = ops.ones_like(values[:, :, 0], dtype="float32")
    return ops.expand_dims(ops.cumsum(ones, axis=1) - 1, 1)
