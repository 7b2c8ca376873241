"""Aligns films with reports: attention from words to regions, contrastive loss."""

import math
from typing import Any

import keras
from keras import ops

from medattn.layers import AttentionLayer
from medattn.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable(package="medattn")
class WordRegionFit(AttentionLayer):
    """Computes how well each film of a batch fits each report, word by word.

    `s_tr = w_t . r_r`, `scores_tr = softmax_r(sharpness s_tr)`, and
    `fit = e^scale mean_t sum_r scores_tr s_tr`: each word attends to the regions that
    are similar to it, and all words count equally. `scale` is learnt, from log 10 on.

    Args:
        sharpness: With larger values a word attends to fewer regions.

    Input shape:
        `[(films, regions, dim), (reports, words, dim), (reports, words)]`: vectors of
        length one, and a mask with 1 for a word and 0 for padding.

    Output shape:
        `(films, reports)`

    Reference:
        After [Huang et al., 2021](https://doi.org/10.1109/ICCV48922.2021.00391), where
        words attend to regions, too; [Radford et al.,
        2021](https://arxiv.org/abs/2103.00020), section 2.3, for the learnt scale.
    """

    def __init__(self, sharpness: float = 10.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.sharpness = sharpness

    def build(self, input_shape: list[Shape]) -> None:
        log_ten = keras.initializers.Constant(math.log(10))
        self.scale = self.add_weight(shape=(), initializer=log_ten, name="scale")

    def similarity(self, inputs: list[Tensor]) -> Tensor:
        """Computes `s`, `(films, reports, words, regions)`."""
        return ops.einsum("frd,wtd->fwtr", inputs[0], inputs[1])

    def scores(self, inputs: list[Tensor]) -> Tensor:
        """Computes the attention of each word to each region.

        Returns:
            Weights, `(films, reports, words, regions)`; those of a word sum to one.
        """
        return ops.softmax(self.sharpness * self.similarity(inputs), axis=-1)

    def mix(self, inputs: list[Tensor], scores: Tensor) -> Tensor:
        """Averages over the words the similarities to the regions they attend to."""
        attended = ops.sum(scores * self.similarity(inputs), axis=-1)
        mask = ops.cast(inputs[2], attended.dtype)  # (reports, words)
        mean = ops.sum(attended * mask, axis=-1) / ops.sum(mask, axis=-1)
        return ops.exp(self.scale) * mean

    def compute_output_shape(  # type: ignore[override]  # of three inputs
        self, input_shape: list[Shape]
    ) -> Shape:
        return (input_shape[0][0], input_shape[1][0])


def matching_loss(reports: Tensor, fit: Tensor) -> Tensor:
    """Computes the contrastive loss of a batch of films and reports.

    The mean of two cross-entropies: each film chooses its report, and each report its
    film. Films with the same report divide the target equally, so that a film is not
    penalised for being near to an identical report.

    Args:
        reports: `(films,)` or `(films, 1)`, the index of each film's report.
        fit: `(films, films)`: of film i with the report of film j, in logits.

    Returns:
        The loss of each film, `(films,)`.

    Reference:
        [Radford et al., 2021](https://arxiv.org/abs/2103.00020), figure 3; [Yang et
        al., 2022](https://arxiv.org/abs/2204.03610) for several positives.
    """
    same = ops.reshape(reports, (-1, 1)) == ops.reshape(reports, (1, -1))
    same = ops.cast(same, fit.dtype)
    target = same / ops.sum(same, axis=-1, keepdims=True)
    by_film = -ops.sum(target * ops.log_softmax(fit, axis=1), axis=1)
    by_report = -ops.sum(target * ops.log_softmax(ops.transpose(fit), axis=1), axis=1)
    return (by_film + by_report) / 2
