"""Hard attention: a word of a caption receives one position, sampled at random."""

from typing import Any

import keras
from keras import ops

from medattn.layers.bahdanau import BahdanauAttention
from medattn.layers.sequence import positions, zero_masked_queries
from medattn.layers.tensor import Mask, Tensor


@keras.saving.register_keras_serializable(package="medattn")
class HardAttention(BahdanauAttention):
    """Answers each state of a caption decoder with one annotation vector.

    `scores = softmax(v tanh(W h + U a + b))` are probabilities; `s` is one position,
    sampled from them in training, and the most probable one otherwise; `y = a_s`.

    A sample has no derivative. Here the gradient is straight-through: as if `y` were
    the expectation `sum_i scores_i a_i` of `SoftAttention`. That is biased, but needs
    only the layer. The paper uses REINFORCE (its equations 11 and 12: `log scores_s`
    times the reward, minus a baseline), which is unbiased, but needs the loss; a
    training loop for it takes the probabilities from `scores` and the sampled position
    from `choose`.

    Args:
        units: Hidden units; None takes as many as the query has channels.
        use_bias: Whether the hidden units have biases.
        seed: Makes the samples repeatable.

    Input shape:
        `[(batch, queries, channels), (batch, positions, dim)]`, see `SoftAttention`.

    Output shape:
        `(batch, queries, dim)`

    Reference:
        [Xu et al., 2015](https://arxiv.org/abs/1502.03044), equations 4, 5, 8 and 9;
        [Bengio et al., 2013](https://arxiv.org/abs/1308.3432) for the gradient.
    """

    def __init__(
        self,
        units: int | None = None,
        use_bias: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, use_bias, **kwargs)
        self.seed = seed
        self.draws = keras.random.SeedGenerator(seed)

    def choose(self, scores: Tensor, training: bool | None = None) -> Tensor:
        """Chooses one position per query: sampled, or the most probable.

        Args:
            scores: Probabilities, `(batch, queries, positions)`; a one-hot row chooses
                its own position.
            training: Whether to sample.

        Returns:
            One at the position and zero elsewhere, same shape; its gradient is that of
            `scores`.
        """
        probability = ops.cast(ops.stop_gradient(scores), "float32")
        fit = ops.log(probability)
        if training:  # argmax(fit + Gumbel noise) is i with probability scores_i
            noise = keras.random.uniform(ops.shape(fit), minval=1e-7, seed=self.draws)
            fit = fit - ops.log(-ops.log(noise))
        best = ops.cast(ops.argmax(fit, axis=-1), "float32")
        index = positions(ops.transpose(probability, (0, 2, 1)))
        chosen = ops.equal(index, best[..., None])
        chosen = ops.logical_and(chosen, probability > 0)  # none, where all are masked
        return ops.cast(chosen, scores.dtype) + (scores - ops.stop_gradient(scores))

    def mix(
        self, inputs: list[Tensor], scores: Tensor, training: bool | None = None
    ) -> Tensor:
        """Takes the value at the chosen position."""
        return super().mix(inputs, self.choose(scores, training=training))

    def call(
        self, inputs: list[Tensor], mask: Mask = None, training: bool | None = None
    ) -> Tensor:
        scores = self.scores(inputs, mask=mask)
        outputs = self.mix(inputs, scores, training=training)
        return zero_masked_queries(outputs, mask)
