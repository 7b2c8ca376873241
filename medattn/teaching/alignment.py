"""Aligning films with reports: each word's regions, and the contrastive loss."""

import math

import keras
from keras import ops

from medattn.layers import AttentionLayer


@keras.saving.register_keras_serializable(package="medattn")
class WordRegionFit(AttentionLayer):
    """Says how well each film of a batch fits each report of it, word by word.

    `s_tr = w_t . r_r`, `scores_tr = softmax_r(sharpness s_tr)`, and
    `fit = e^scale mean_t sum_r scores_tr s_tr`: each word chooses its regions softly,
    and all words count alike. `scale` is learnt, from 10 on.

    Args:
        sharpness: Larger values let a word look at fewer regions.

    Input shape:
        `[(films, regions, dim), (reports, words, dim), (reports, words)]`: vectors of
        length one, and 1 for a word, 0 for what fills up.

    Output shape:
        `(films, reports)`

    Reference:
        After [Huang et al., 2021](https://doi.org/10.1109/ICCV48922.2021.00391), whose
        words choose regions, too; [Radford et al.,
        2021](https://arxiv.org/abs/2103.00020), section 2.3, for the learnt scale.
    """

    def __init__(self, sharpness=10.0, **kwargs):
        super().__init__(**kwargs)
        self.sharpness = sharpness

    def build(self, input_shape):
        ten = keras.initializers.Constant(math.log(10))
        self.scale = self.add_weight(shape=(), initializer=ten, name="scale")

    def similarity(self, inputs):
        """Computes `s`, `(films, reports, words, regions)`."""
        return ops.einsum("frd,wtd->fwtr", inputs[0], inputs[1])

    def scores(self, inputs):
        """Computes how much each word takes of each region.

        Returns:
            Weights, `(films, reports, words, regions)`; those of a word sum to one.
        """
        return ops.softmax(self.sharpness * self.similarity(inputs), axis=-1)

    def mix(self, inputs, scores):
        """Averages the similarities of the words with what they chose."""
        chosen = ops.sum(scores * self.similarity(inputs), axis=-1)
        shown = ops.cast(inputs[2], chosen.dtype)  # (reports, words)
        mean = ops.sum(chosen * shown, axis=-1) / ops.sum(shown, axis=-1)
        return ops.exp(self.scale) * mean

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], input_shape[1][0])


def matching_loss(reports, fit):
    """Asks each film of a batch for its report, and each report for its film.

    The cross-entropy of both choices, halved. Films with the same report share the
    right answer equally, so that none is punished for being near to its like.

    Args:
        reports: `(films,)` or `(films, 1)`, a number for each distinct report.
        fit: `(films, films)`: of film i with the report of film j, in logits.

    Returns:
        A number a film, `(films,)`.

    Reference:
        [Radford et al., 2021](https://arxiv.org/abs/2103.00020), figure 3; [Yang et
        al., 2022](https://arxiv.org/abs/2204.03610) for several right answers.
    """
    same = ops.reshape(reports, (-1, 1)) == ops.reshape(reports, (1, -1))
    same = ops.cast(same, fit.dtype)
    right = same / ops.sum(same, axis=-1, keepdims=True)
    of_film = -ops.sum(right * ops.log_softmax(fit, axis=1), axis=1)
    of_report = -ops.sum(right * ops.log_softmax(ops.transpose(fit), axis=1), axis=1)
    return (of_film + of_report) / 2
