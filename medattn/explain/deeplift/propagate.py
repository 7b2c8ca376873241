"""DeepLIFT, as the gradient of a network of differences.

Every tensor becomes a pair: its value at the reference, and its difference from it. The
differences are computed as such, never as one large number minus another, and every
step's difference is its input's difference times a detached multiplier:

    dy = dx * [m],    m = (f(r + dx) - f(r)) / dx        [.] = stop_gradient

So the difference of the logits is the sum of the pixels' differences times their
derivatives, by Euler's theorem and to rounding: nothing is lost at gates, softmaxes or
norms. A reference that is the same for all images is computed once.

Reference:
    [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685).
"""

import copy
from collections.abc import Sequence
from typing import Any

import keras

from medattn.explain.deeplift.nonlinear import DEEP_LIFT_RULES
from medattn.explain.deeplift.pairs import Pair
from medattn.explain.deeplift.rules import Parts, rescale, reveal_cancel
from medattn.explain.graph.analysis import Analysis
from medattn.explain.graph.compute import compute_step
from medattn.explain.graph.linear_layers import LinearLayer, is_linear
from medattn.explain.graph.registry import rule_of
from medattn.explain.graph.steps import Step, fill_in, ids, is_symbolic, sources, store
from medattn.layers.tensor import Tensor


class DifferencePropagator:
    """Runs a graph on a reference and on the differences from it.

    Args:
        analysis: An `Analysis` of the graph.
        reveal_cancel: Whether positive and negative contributions keep apart up to the
            next nonlinearity, so that they cannot hide each other (RevealCancel).

    Raises:
        ValueError: If a step has no rule.
    """

    def __init__(self, analysis: Analysis, *, reveal_cancel: bool = False):
        self.analysis, self.reveal_cancel = analysis, reveal_cancel
        self.graph = analysis.graph
        for step in self.graph.steps:
            if not self._depends_on_image(step) or is_linear(step):
                continue
            if rule_of(step, DEEP_LIFT_RULES, "deep_lift") is None:
                raise ValueError(
                    f"The step {step.operation.name!r} "
                    f"({type(step.operation).__name__}) has no DeepLIFT rule. "
                    f"Expected a linear layer, one of {sorted(DEEP_LIFT_RULES)}, or "
                    "one given to medattn.explain.register_rule(type, deep_lift=rule). "
                    f"Received: {step.operation!r}"
                )

    def __call__(
        self, references: Sequence[Tensor], differences: Sequence[Tensor]
    ) -> Pair:
        """Runs the network of differences.

        Args:
            references: One tensor for each input, `(batch or 1, ...)`.
            differences: Image minus reference, `(batch, ...)` each.

        Returns:
            The `Pair` of the explained output; the difference's derivatives by
            `differences` are DeepLIFT's multipliers.
        """
        # A copy holds what one run makes, so that several threads may run it at once.
        return copy.copy(self)._run(references, differences)

    def _run(self, references: Sequence[Tensor], differences: Sequence[Tensor]) -> Pair:
        inputs = zip(self.graph.inputs, references, differences, strict=True)
        values = {id(tensor): Pair(r, d) for tensor, r, d in inputs}
        self.parts: dict[int, Parts] = {}  # positive and negative contributions
        for step in self.graph.steps:
            args, kwargs = fill_in(step, values)
            store(step, self._result(step, args, kwargs), values)
        return values[id(self.analysis.output)]

    def _result(self, step: Step, args: Any, kwargs: Any) -> Pair | list[Pair]:
        """Computes the pairs that a step makes."""
        if not self._depends_on_image(step):
            references = keras.tree.map_structure(
                lambda name, leaf: leaf.reference if is_symbolic(name) else leaf,
                (step.args, step.kwargs),
                (args, kwargs),
            )
            results = keras.tree.flatten(compute_step(step, *references))
            return [Pair(result, None) for result in results]
        if is_linear(step):
            return self._linear(step, args[0])
        rule = rule_of(step, DEEP_LIFT_RULES, "deep_lift")
        assert rule is not None  # see __init__
        return rule(self, step, *args, **kwargs)

    def _linear(self, step: Step, pair: Pair) -> Pair:
        """Applies the rule of a linear layer."""
        layer = LinearLayer(step.operation)
        if not self.reveal_cancel:
            return rescale(layer, pair)
        before = self.parts.get(ids(sources(step))[0])
        after, self.parts[id(step.outputs[0])] = reveal_cancel(layer, pair, before)
        return after

    def _depends_on_image(self, step: Step) -> bool:
        """Whether some output of a step depends on the image."""
        return not self.analysis.depends.isdisjoint(ids(step.outputs))
