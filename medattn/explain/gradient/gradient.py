"""The gradient of the logit, and input times gradient."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np

from medattn.explain.analyzer import Analyzer, choose
from medattn.explain.backend import value_and_gradients
from medattn.layers.tensor import Tensor

PIXELS_AT_ONCE = 2**16  # of the points that are differentiated together
POSTPROCESSES: dict[str | None, Callable[[np.ndarray], np.ndarray]] = {
    None: lambda g: g,
    "abs": np.abs,
    "square": np.square,
}


class Gradient(Analyzer):
    """The derivative of the logit by each pixel.

    Args:
        postprocess: None, `"abs"` or `"square"`.

    Reference: [Simonyan et al., 2014](https://arxiv.org/abs/1312.6034), section 3.
    """

    options = {"postprocess": None}
    postprocess: Literal["abs", "square"] | None

    def prepare(self) -> None:
        if self.postprocess not in POSTPROCESSES:
            raise ValueError(
                "Unknown postprocess. Expected one of "
                f"{list(POSTPROCESSES)}. Received: postprocess={self.postprocess!r}"
            )

        def logit(images: list[Tensor], neurons: Tensor) -> tuple[Tensor, Tensor]:
            outputs = self.logits(images)
            return choose(outputs, neurons), outputs

        self._gradient = value_and_gradients(logit)

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        gradients, _ = self._gradient(images, neurons)
        return [POSTPROCESSES[self.postprocess](g) for g in gradients]

    def _sum_over_points(
        self, points: Iterable[list[np.ndarray]], neurons: np.ndarray
    ) -> list[np.ndarray]:
        """Sums the gradients of one batch at many points, several at once.

        Args:
            points: Lists of arrays like the images, one array per input.
            neurons: `(batch,)`, each >= 0.

        Returns:
            One array of float64 per input.
        """
        points = iter(points)
        sums: list[Any] = []
        while first := next(points, None):
            pixels = sum(int(np.prod(x.shape[:-1])) for x in first)
            count = max(PIXELS_AT_ONCE // pixels - 1, 0)
            group = [first, *itertools.islice(points, count)]
            images = [np.concatenate(arrays) for arrays in zip(*group, strict=True)]
            maps = Gradient._explain(self, images, np.tile(neurons, len(group)))
            sums = [
                total + g.reshape(len(group), *x.shape).sum(0, dtype=np.float64)
                for total, g, x in zip(
                    sums or [0.0] * len(first), maps, first, strict=True
                )
            ]
        return sums

    def _chosen_neurons(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> np.ndarray:
        """Chooses the neurons by the images, before these are changed."""
        if (neurons >= 0).all():
            return neurons
        _, outputs = self._gradient(images, neurons)
        return np.where(neurons < 0, outputs.argmax(-1), neurons).astype(np.int32)


class InputTimesGradient(Gradient):
    """Each pixel times the derivative of the logit by it."""

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        gradients = super()._explain(images, neurons)
        return [x * g for x, g in zip(images, gradients, strict=True)]


def check_count(name: str, count: int) -> None:
    """Raises ValueError if the number of points of a mean is below one."""
    if not (isinstance(count, int) and count >= 1):
        raise ValueError(
            f"The mean needs points. Expected {name} of one or more. "
            f"Received: {name}={count!r}"
        )
