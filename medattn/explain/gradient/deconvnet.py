"""Deconvnet and guided backpropagation: another backward pass of each ReLU."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from keras import ops

from medattn.explain.analyzer import Analyzer, choose
from medattn.explain.backend import value_and_gradients, with_backward
from medattn.explain.graph.operations import NONLINEARITIES
from medattn.explain.graph.steps import Step, is_relu, name_of
from medattn.layers.tensor import Tensor


class Deconvnet(Analyzer):
    """Backpropagates the logit; each ReLU passes only positive gradients.

    Reference: [Zeiler and Fergus, 2014](https://arxiv.org/abs/1311.2901), section 2.1.
    """

    gated_by_input: ClassVar[bool] = False

    def prepare(self) -> None:
        for step in self.graph.steps:
            if name_of(step) in NONLINEARITIES and not is_relu(step):
                raise ValueError(
                    "This analyzer is defined for networks whose only nonlinearity is "
                    f"the ReLU. Received: {step.operation.name!r}, "
                    f"{type(step.operation).__name__}"
                )

        def logit(images: list[Tensor], neurons: Tensor) -> tuple[Tensor, Tensor]:
            outputs = self.forward(images)
            chosen = choose(outputs, neurons)
            # As iNNvestigate starts: with the logit itself, not with one.
            return chosen * ops.stop_gradient(chosen), outputs

        self._gradient = value_and_gradients(logit)

    def compute_step(self, step: Step, args: Any, kwargs: Any) -> Any:
        if not is_relu(step):
            return super().compute_step(step, args, kwargs)

        def backward(x: Tensor, upstream: Tensor) -> Tensor:
            passed = ops.relu(upstream)
            return passed * ops.cast(x > 0, x.dtype) if self.gated_by_input else passed

        return with_backward(ops.relu, args[0], backward)

    def _explain(
        self, images: list[np.ndarray], neurons: np.ndarray
    ) -> Sequence[np.ndarray]:
        gradients, _ = self._gradient(images, neurons)
        return gradients


class GuidedBackprop(Deconvnet):
    """As deconvnet, and only through ReLUs whose input is positive.

    Reference: [Springenberg et al., 2015](https://arxiv.org/abs/1412.6806), sec. 3.4.
    """

    gated_by_input = True
