"""Integrated gradients: the mean gradient between a reference and the image."""

from collections.abc import Sequence

import numpy as np

from medattn.explain.gradient.gradient import Gradient, check_count


class IntegratedGradients(Gradient):
    """The gradient, averaged on the straight line from a reference to the image.

    A_j = (x_j - r_j) mean over t of  d logit / d x_j at r + t (x - r)

    Args:
        steps: Number of points, evenly spaced from 0 on, without the end, as in
            iNNvestigate.
        reference_inputs: A number or an image, the start of the line.

    Reference: [Sundararajan et al., 2017](https://arxiv.org/abs/1703.01365), eq. 3.
    """

    options = Gradient.options | {"steps": 64, "reference_inputs": 0.0}
    steps: int
    reference_inputs: float | np.ndarray

    def prepare(self) -> None:
        check_count("steps", self.steps)
        super().prepare()

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        neurons = self._chosen_neurons(images, neurons)
        references = [
            np.broadcast_to(np.float32(self.reference_inputs), x.shape) for x in images
        ]
        points = (
            [r + t * (x - r) for x, r in zip(images, references, strict=True)]
            for t in np.arange(self.steps, dtype=np.float32) / self.steps
        )
        sums = self._sum_over_points(points, neurons)
        return [
            ((x - r) * total / self.steps).astype(np.float32)
            for x, r, total in zip(images, references, sums, strict=True)
        ]
