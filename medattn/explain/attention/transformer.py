"""Transformer attribution: attention times its gradient, for one class."""

from collections.abc import Sequence

import numpy as np

from medattn.explain.analyzer import choose
from medattn.explain.attention.rollout import Rollout
from medattn.explain.backend import value_and_gradients
from medattn.layers.tensor import Tensor


class TransformerAttribution(Rollout):
    """Attention times its gradient, positive parts only, rolled out for one class.

    R <- R + E_h[(dA * A)+] R, from R = 1 on, layer by layer, with dA the derivative of
    the class's logit by the attention A and E_h the mean over heads; the map is the
    class token's row of R without the initial 1.

    This is the later, simpler form: the first (CVPR 2021, arXiv 2012.09838) has the LRP
    relevance of A instead of A.

    Args:
        start_layer: The first layer of the product, from 0.

    Reference:
        [Chefer, Gur and Wolf, 2021](https://arxiv.org/abs/2103.15679), equations 5
        and 6.
    """

    def prepare(self) -> None:
        super().prepare()

        def logit(
            offsets: list[Tensor], images: list[Tensor], neurons: Tensor
        ) -> tuple[Tensor, list[Tensor]]:
            outputs, scores = self.read(images, offsets)
            return choose(outputs, neurons), scores

        self._gradient = value_and_gradients(logit)

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        zeros = [
            np.zeros((len(images[0]), step.operation.heads, n, n), np.float32)
            for step in self.stages
            for n in [step.outputs[0].shape[1]]
        ]
        gradients, scores = self._gradient(zeros, images, neurons)
        identity = np.eye(scores[0].shape[-1])
        factors = [
            np.maximum(a * da, 0).mean(axis=1) + identity
            for a, da in zip(scores, gradients, strict=True)
        ]
        return self._rolled_out(factors[self.start_layer :], images)
