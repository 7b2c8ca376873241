"""DeepLIFT, as the gradient of a network of differences.

Every tensor becomes a pair: its value at the reference, and its difference from it. The
differences are computed as such, never as one large number minus another, and every
step's difference is its input's difference times a held multiplier:

    dy = dx * [m],    m = (f(r + dx) - f(r)) / dx        [.] = stop_gradient

So the difference of the logits is the sum of the pixels' differences times their
derivatives, by Euler's theorem and to rounding: nothing is lost at gates, softmaxes or
norms. A reference that is the same for all images is run once.

Reference:
    [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685).
"""

import copy

import keras
from keras import ops

from medattn.explain.deeplift.nonlinear import DEEP_LIFT_RULES, Pair, summed
from medattn.explain.graph import analysis as of
from medattn.explain.graph.linear_layers import Unit
from medattn.explain.graph.trace import ACTIVATION, is_symbolic
from medattn.explain.lrp.nonlinear import done, rule_of


class DifferenceWalk:
    """Runs a graph on a reference and on the differences from it.

    Args:
        survey: A `Survey` of the graph.
        cancel: Whether positive and negative contributions keep apart up to the next
            nonlinearity, so that they cannot hide each other (RevealCancel).

    Raises:
        ValueError: If a step has no rule.
    """

    def __init__(self, survey, *, cancel=False):
        self.survey, self.cancel = survey, cancel
        self.graph = survey.graph
        for step in self.graph.steps:
            outputs = of.ids(step.outputs)
            if self.survey.depends.isdisjoint(outputs) or of.is_linear(step):
                continue
            if rule_of(step, DEEP_LIFT_RULES, 1) is None:
                raise ValueError(
                    f"The step {step.operation.name!r} "
                    f"({type(step.operation).__name__}) has no DeepLIFT rule. "
                    f"Expected a linear layer, one of {sorted(DEEP_LIFT_RULES)}, or "
                    "one given to medattn.explain.register_rule(type, deep_lift=rule). "
                    f"Received: {step.operation!r}"
                )

    def __call__(self, references, differences):
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

    def _run(self, references, differences):
        self.values = {
            id(tensor): Pair(r, d)
            for tensor, r, d in zip(
                self.graph.inputs, references, differences, strict=True
            )
        }
        self.parts = {}  # positive and negative contributions to a difference
        for step in self.graph.steps:
            self.step = step
            results = self.result(step)
            self.values.update(zip(of.ids(step.outputs), results, strict=True))
        return self.values[id(self.survey.output)]

    def result(self, step):
        """Computes the pairs that a step makes."""
        args, kwargs = keras.tree.map_structure(
            lambda leaf: self.values[id(leaf)] if is_symbolic(leaf) else leaf,
            (step.args, step.kwargs),
        )
        if self.survey.depends.isdisjoint(of.ids(step.outputs)):
            held = keras.tree.map_structure(
                lambda name, leaf: leaf.reference if is_symbolic(name) else leaf,
                (step.args, step.kwargs),
                (args, kwargs),
            )
            results = keras.tree.flatten(self.plain(step, *held))
            return [Pair(result, None) for result in results]
        if of.is_linear(step):
            return [self.linear(step, args[0])]
        results = rule_of(step, DEEP_LIFT_RULES, 1)(self, step, *args, **kwargs)
        return [results] if isinstance(results, Pair) else results

    def linear(self, step, pair):
        """Sends a difference through a linear layer, which its bias does not touch."""
        unit = Unit(step.operation)
        reference = Unit(step.operation).output(pair.reference)
        if not self.cancel:
            return Pair(reference, unit.total(pair.difference))
        source = of.ids((step.args, step.kwargs))[0]
        if unit.kind == "BatchNormalization" and source in self.parts:
            up, down = self.parts[source]
            rise, fall = ops.relu(unit.kernel), ops.relu(-unit.kernel)
            parts = up * rise - down * fall, down * rise - up * fall
        else:
            parts = unit.positive(pair.difference), unit.negative(pair.difference)
        self.parts[id(step.outputs[0])] = parts
        return Pair(
            reference, summed(*parts, unit.total(ops.stop_gradient(pair.difference)))
        )

    def plain(self, step, args, kwargs):
        if step.part == ACTIVATION:
            return step.operation.activation(*args)
        return done(step.operation, args, kwargs)
