"""Hard attention: a word of a caption sees one place of the image, drawn by chance."""

import keras
from keras import ops

from medattn.layers.bahdanau import BahdanauAttention
from medattn.layers.sequence import hide_queries, places


@keras.saving.register_keras_serializable(package="medattn")
class HardAttention(BahdanauAttention):
    """Answers each state of a caption's writer with one annotation vector.

    `scores = softmax(v tanh(W h + U a + b))` are chances; `s` is one place, drawn by
    them while training, and the likeliest otherwise; `y = a_s`.

    A draw has no derivative. Here the gradient is straight-through: as if `y` were the
    expectation `sum_i scores_i a_i` of `SoftAttention`. That is biased, but needs
    nothing but the layer. The paper's own is REINFORCE (its equations 11 and 12:
    `log scores_s` times the reward, less a baseline), which is unbiased, but has to see
    the loss; whoever writes that training loop finds the chances in `scores` and the
    drawn place in `choose`.

    Args:
        units: Hidden units; None takes as many as the query has channels.
        use_bias: Whether the hidden units have biases.
        seed: Makes the draws repeatable.

    Input shape:
        `[(batch, queries, channels), (batch, places, dim)]`, see `SoftAttention`.

    Output shape:
        `(batch, queries, dim)`

    Reference:
        [Xu et al., 2015](https://arxiv.org/abs/1502.03044), equations 4, 5, 8 and 9;
        [Bengio et al., 2013](https://arxiv.org/abs/1308.3432) for the gradient.
    """

    def __init__(self, units=None, use_bias=True, seed=None, **kwargs):
        super().__init__(units, use_bias, **kwargs)
        self.seed = seed
        self.draws = keras.random.SeedGenerator(seed)

    def choose(self, scores, training=None):
        """Chooses one place a query, by chance or the likeliest.

        Args:
            scores: Chances, `(batch, queries, places)`; a given choice, all zeros but
                for a one, chooses itself.
            training: Whether to draw.

        Returns:
            One at the place and zero elsewhere, same shape; its gradient is that of
            `scores`.
        """
        chance = ops.cast(ops.stop_gradient(scores), "float32")
        fit = ops.log(chance)
        if training:  # the largest of fit + Gumbel noise is at i with chance scores_i
            even = keras.random.uniform(ops.shape(fit), minval=1e-7, seed=self.draws)
            fit = fit - ops.log(-ops.log(even))
        best = ops.cast(ops.argmax(fit, axis=-1), "float32")
        chosen = ops.equal(places(ops.transpose(chance, (0, 2, 1))), best[..., None])
        chosen = ops.logical_and(chosen, chance > 0)  # none, where all are hidden
        return ops.cast(chosen, scores.dtype) + (scores - ops.stop_gradient(scores))

    def mix(self, inputs, scores, training=None):
        """Takes the value at the chosen place."""
        return super().mix(inputs, self.choose(scores, training=training))

    def call(self, inputs, mask=None, training=None):
        scores = self.scores(inputs, mask=mask)
        return hide_queries(self.mix(inputs, scores, training=training), mask)
