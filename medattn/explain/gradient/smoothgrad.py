"""SmoothGrad: the mean gradient over noisy copies of the image."""

from collections.abc import Sequence

import numpy as np

from medattn.explain.gradient.gradient import Gradient, check_count


class SmoothGrad(Gradient):
    """The gradient, averaged over noisy copies of the image.

    Args:
        augment_by_n: Number of copies.
        noise_scale: Standard deviation of the noise, in the units of the pixels.
        seed: Seed of the noise; None for different noise each time.

    Reference: [Smilkov et al., 2017](https://arxiv.org/abs/1706.03825), section 2.2.
    """

    options = Gradient.options | {"augment_by_n": 64, "noise_scale": 0.1, "seed": 0}
    augment_by_n: int
    noise_scale: float
    seed: int | None

    def prepare(self) -> None:
        check_count("augment_by_n", self.augment_by_n)
        super().prepare()

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        neurons = self._chosen_neurons(images, neurons)
        rng = np.random.default_rng(self.seed)
        noisy = (
            [
                # One noise for all samples, so that a map is the same in any batch.
                x + rng.normal(0, self.noise_scale, x.shape[1:]).astype(np.float32)
                for x in images
            ]
            for _ in range(self.augment_by_n)
        )
        sums = self._sum_over_points(noisy, neurons)
        return [(total / self.augment_by_n).astype(np.float32) for total in sums]
