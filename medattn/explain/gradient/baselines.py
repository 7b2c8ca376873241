"""Baselines that use no model: the input, and the input with noise."""

from collections.abc import Sequence

import numpy as np

from medattn.explain.analyzer import Analyzer


class Input(Analyzer):
    """The image itself: a baseline."""

    def prepare(self) -> None:
        pass

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        return images


class Random(Analyzer):
    """The image with Gaussian noise, as in iNNvestigate: a baseline.

    Args:
        stddev: Standard deviation of the noise.
        seed: Seed of the noise.
    """

    options = {"stddev": 1.0, "seed": 0}
    stddev: float
    seed: int | None

    def prepare(self) -> None:
        pass

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        rng = np.random.default_rng(self.seed)
        return [x + rng.normal(0, self.stddev, x.shape).astype("f4") for x in images]
