"""The form that sequence attentions share: each query weighs all values."""

from keras import ops

from medattn.layers.attention import AttentionLayer


class SequenceAttention(AttentionLayer):
    """Answers each query with a sum of values, weighed by how well they fit.

    `scores_ts = softmax_s(fit(query_t, value_s))`, and `y_t = sum_s scores_ts value_s`

    A subclass says what fits. Called as `keras.layers.AdditiveAttention` is, with
    values that serve as keys, too.

    Call arguments:
        inputs: `[query, values]`, of shapes `(batch, queries, channels)` and
            `(batch, values, dim)`: the decoder's states and the encoder's, or words
            and the places of an image.
        mask: `[query_mask, value_mask]`, each None or bool, `(batch, queries)` and
            `(batch, values)`. A hidden value gets the score 0, a hidden query the
            answer 0; so does a query from which all values are hidden. Keras passes
            the masks of an `Embedding(mask_zero=True)` by itself.

    Returns:
        The answers, `(batch, queries, dim)`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def fit(self, query, values):
        """Computes how well values fit queries, `(batch, queries, values)`."""
        raise TypeError(
            f"{type(self).__name__} says nothing about what fits. Expected a subclass "
            "of SequenceAttention that defines `fit(query, values)`. "
            f"Received: {self!r}"
        )

    def scores(self, inputs, mask=None):
        """Computes how much each query takes from each value.

        Args:
            inputs: `[query, values]`.
            mask: `[query_mask, value_mask]`, or None.

        Returns:
            Weights in [0, 1], `(batch, queries, values)`; each row sums to one.
        """
        query, values = inputs
        return masked_softmax(self.fit(query, values), shown(mask))

    def mix(self, inputs, scores):
        """Adds up the values by the scores."""
        return ops.matmul(scores, inputs[1])

    def call(self, inputs, mask=None):
        return hide_queries(self.mix(inputs, self.scores(inputs, mask=mask)), mask)

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else mask[0]

    def compute_output_shape(self, input_shape):
        query, values = input_shape
        return (*query[:-1], values[-1])


def sequence_channels(layer, input_shape):
    """Returns the channels of queries and of values, or says what was needed."""
    shapes = [tuple(s) for s in input_shape if isinstance(s, list | tuple)]
    if [len(s) for s in shapes] != [3, 3] or None in (shapes[0][-1], shapes[1][-1]):
        raise ValueError(
            f"{type(layer).__name__} takes two sequences with known channels. Expected "
            "[query, values] of shapes (batch, queries, channels) and (batch, values, "
            f"dim). Received: input_shape={input_shape}"
        )
    return shapes[0][-1], shapes[1][-1]


def additive_fit(query, keys, vector):
    """Computes `v tanh(query_t + key_s)` of every query with every key."""
    both = query[:, :, None] + keys[:, None]  # (batch, queries, values, units)
    return vector(ops.tanh(both))[..., 0]


def shown(mask):
    """Returns which values a query may see, `(batch, 1, values)`, or None for all."""
    if mask is None or mask[1] is None:
        return None
    return ops.cast(ops.expand_dims(mask[1], 1), "bool")


def hide_queries(outputs, mask):
    """Answers masked queries with zeros, as Keras's attention layers do."""
    if mask is None or mask[0] is None:
        return outputs
    return outputs * ops.cast(ops.expand_dims(mask[0], -1), outputs.dtype)


def masked_softmax(fit, keep=None):
    """Shares one among the values that are kept; zeros where none is."""
    if keep is None:
        return ops.softmax(fit, axis=-1)
    # The row's least, not a huge negative number: half precision has none.
    fit = ops.where(keep, fit, ops.min(fit, axis=-1, keepdims=True))
    weight = ops.exp(fit - ops.max(fit, axis=-1, keepdims=True))
    weight = weight * ops.cast(keep, fit.dtype)
    # The best of the kept counts 1, so a sum below one half is that of nothing.
    return weight / ops.maximum(ops.sum(weight, axis=-1, keepdims=True), 0.5)


def places(values):
    """Counts the values from 0, `(batch, 1, values)`, float32; any number of them."""
    ones = ops.ones_like(values[:, :, 0], dtype="float32")
    return ops.expand_dims(ops.cumsum(ones, axis=1) - 1, 1)
