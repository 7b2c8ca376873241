"""Relevance split at one layer: what arrives at its channels, and what goes on."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from medattn.explain.checks import choose
from medattn.explain.graph.model_runner import tensor_at
from medattn.explain.graph.steps import Step
from medattn.explain.lrp.propagate import Propagator
from medattn.layers.tensor import Tensor


class TappedPropagator(Propagator):
    """A propagator that changes one tensor on the way.

    Attributes:
        tapped: The id of the tensor, in the graph.
        tap: What is made of its value.
    """

    tapped: int
    tap: Callable[[Tensor], Tensor]

    def _result(self, step: Step) -> Any:
        found = super()._result(step)
        return self.tap(found) if id(step.outputs[0]) == self.tapped else found


class SplitRelevance:
    """The relevance of an analyzer, split at the output of one layer.

    Args:
        analyzer: An LRP analyzer, opened, of a model with one input.
        layer: The layer's name.

    Raises:
        ValueError: If no relevance can be split there.
    """

    def __init__(self, analyzer: Any, layer: str):
        self.analyzer = analyzer
        propagator = analyzer._propagator
        known = {id(own): in_graph for own, in_graph in analyzer.graph.known}
        tensor: Any = known.get(id(tensor_at(analyzer.model, layer)))
        analysis = propagator.analysis
        carries = tensor is not None and id(tensor) in analysis.carriers
        folded = carries and id(tensor) in analysis.folded
        if not carries or folded or len(analyzer.graph.inputs) != 1:
            why = "no relevance goes through it"
            if folded:
                norm = analysis.folded[id(tensor)].operation.name
                why = f"it is one layer with the norm {norm!r} after it: take that"
            raise ValueError(
                "Relevance cannot be split at this layer. Expected a model with one "
                "input, and a layer between the image and the logits. Received: "
                f"layer={layer!r}, and {why}"
            )
        run = copy.copy(propagator)
        run.__class__ = TappedPropagator
        self._propagator: Any = run
        self._propagator.tapped = id(tensor)
        self._at = analyzer.compiled(self._upstream)
        self._through = analyzer.compiled(self._passed_on)
        self._past = analyzer.compiled(self._passed_by)
        self._shape = tuple(tensor.shape[1:])

    def at_layer(
        self, images: np.ndarray, neurons: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns what arrives at the layer's output, and its channels' relevance."""
        added = np.zeros((len(images), *self._shape), np.float32)
        (upstream,), value = self._at([added], [images], neurons)
        is_gradient = self.analyzer.relevance_is_gradient
        relevance = upstream if is_gradient else upstream * value
        return upstream, relevance.sum(tuple(range(1, relevance.ndim - 1)))

    def through(self, images: np.ndarray, upstream: np.ndarray) -> np.ndarray:
        """Passes some upstream relevance on to the pixels."""
        ones = np.ones(images.shape, np.float32)
        found: np.ndarray = self._through([ones], [images], upstream)[0][0]
        return found

    def past(self, images: np.ndarray, neurons: np.ndarray) -> np.ndarray:
        """Returns the relevance of the pixels that goes past the layer."""
        ones = np.ones(images.shape, np.float32)
        found: np.ndarray = self._past([ones], [images], neurons)[0][0]
        return found

    def _run(
        self,
        images: list[Tensor],
        probes: list[Tensor],
        tap: Callable[[Tensor], Tensor],
    ) -> Tensor:
        run = copy.copy(self._propagator)
        run.tap = tap
        return run(images, probes)

    def _explained(self, outputs: Tensor, neurons: Tensor) -> Tensor:
        analyzer = self.analyzer
        return analyzer.start(choose(analyzer.head(outputs), neurons))

    def _upstream(
        self, added: list[Tensor], images: list[Tensor], neurons: Tensor
    ) -> tuple[Tensor, Tensor]:
        values = []

        def tap(value: Tensor) -> Tensor:
            values.append(value)
            return ops.stop_gradient(value) + added[0]

        probes = [ops.ones_like(image) for image in images]
        outputs = self._run(images, probes, tap)
        return self._explained(outputs, neurons), ops.stop_gradient(values[0])

    def _passed_on(
        self, probes: list[Tensor], images: list[Tensor], upstream: Tensor
    ) -> tuple[Tensor, Tensor]:
        values = []

        def tap(value: Tensor) -> Tensor:
            values.append(value)
            return value

        outputs = self._run(images, probes, tap)
        axes = tuple(range(1, len(upstream.shape)))
        return ops.sum(values[0] * upstream, axis=axes), outputs

    def _passed_by(
        self, probes: list[Tensor], images: list[Tensor], neurons: Tensor
    ) -> tuple[Tensor, Tensor]:
        outputs = self._run(images, probes, ops.stop_gradient)
        return self._explained(outputs, neurons), outputs
