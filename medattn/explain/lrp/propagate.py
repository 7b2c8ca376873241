"""Layer-wise relevance propagation, as the gradient of a rewritten network.

Each step of the network is replaced by an expression with the same value and another
derivative. There are two ways to read relevance off it:

- *input times derivative*: relevance is a tensor times its derivative. Every expression
  is homogeneous, its value the sum of its inputs times their derivatives, so nothing is
  lost on the way; a ReLU, a pooling, a sum need no rewriting at all.
- *the derivative itself* (`relevance_is_gradient`): slower, but an input that is zero
  may be given relevance, as the flat and w-square rules do.

With `signal` and `denominator` of a linear layer's rule, a neuron z becomes

    signal * [z / denominator] + audit * [z (denominator - signal) / denominator]
    [z] + (signal - [signal]) * [1 / denominator] + ...       (relevance_is_gradient)

where [.] = stop_gradient and audit = 1: its derivative is what the step's constants
have absorbed. So the audit is taken where it happens, never derived as the rest.

A gate `x * s` becomes `x * [s]`: the signal takes the relevance, the gate is detached.
"""

import copy
from collections.abc import Callable, Collection, Sequence
from typing import Any

import keras
from keras import ops

from medattn.explain.backend import gradient_only, with_slope
from medattn.explain.graph.analysis import Analysis
from medattn.explain.graph.compute import compute_step
from medattn.explain.graph.linear_layers import (
    LinearLayer,
    check_axis,
    is_linear,
    read_variable,
)
from medattn.explain.graph.operations import (
    ADD_OR_CONCAT,
    MIXING_PREFIXES,
    MIXING_SUMS,
    PADDINGS,
)
from medattn.explain.graph.registry import is_registered, rule_of
from medattn.explain.graph.steps import (
    Step,
    ids,
    is_relu,
    is_symbolic,
    name_of,
    sources,
    store,
)
from medattn.explain.lrp.gradient_mode import converted, move_entries
from medattn.explain.lrp.input_independent import input_independent_rule
from medattn.explain.lrp.nonlinear import (
    RULES,
    add_or_concat,
    group_norm,
    layer_norm,
    nonlinearity,
    normaliser,
    passthrough,
    softmax,
)
from medattn.explain.lrp.rules import LinearRule, Term
from medattn.layers.tensor import Tensor

ABSORBING = (softmax, layer_norm, group_norm, normaliser)  # rules with a constant


class Propagator:
    """Runs a graph with every step replaced by its rule.

    Args:
        analysis: An `Analysis` of the graph.
        choose_rule: A function from a `LinearLayer` to one of the functions of `rules`.
        relevance_is_gradient: Whether relevance is the derivative itself, see this
            module.
        input_independent: Whether sums, products and norms too ignore the values, see
            `medattn.explain.lrp.input_independent`; for rules that need no input, where
            relevance is the derivative.

    Attributes:
        entries: The names of the steps that may absorb relevance.

    Raises:
        ValueError: If a step that carries relevance has no rule.
    """

    def __init__(
        self,
        analysis: Analysis,
        choose_rule: Callable[..., LinearRule],
        *,
        relevance_is_gradient: bool = False,
        input_independent: bool = False,
    ):
        self.analysis, self.choose_rule = analysis, choose_rule
        self.relevance_is_gradient = relevance_is_gradient
        self.input_independent = input_independent
        self.graph = analysis.graph
        self.entries: list[str] = []
        self._entry_index: dict[int, int] = {}
        for step in self.graph.steps:
            output = id(step.outputs[0])
            if not self._carries_relevance(step) or output in analysis.folded:
                continue
            if not is_linear(step) and rule_of(step, RULES, "lrp") is None:
                raise ValueError(
                    f"The step {step.operation.name!r} "
                    f"({type(step.operation).__name__}) has no LRP rule. Expected "
                    f"a linear layer, one of {sorted(RULES)}, or one that was given to "
                    "medattn.explain.register_rule(type, lrp=rule). "
                    f"Received: {step.operation!r}"
                )
            if self._may_absorb(step):
                self._entry_index[output] = len(self.entries)
                self.entries.append(_numbered(step.operation.name, self.entries))

    def __call__(
        self,
        images: Sequence[Tensor],
        probes: Sequence[Tensor],
        audit: Tensor | None = None,
    ) -> Tensor:
        """Runs the rewritten network.

        Args:
            images: One tensor for each input of the graph, `(batch, ...)`.
            probes: Ones of their shapes. The derivative by them is the relevance: they
                weigh the image after the leading normalisation, so that relevance
                speaks of pixels.
            audit: Ones, `(batch, entries + 1)`. The derivative by it is what each of
                `entries` has absorbed, and last what was dropped. None to leave it out.

        Returns:
            The explained output, `(batch, classes)`.
        """
        # A copy holds what one run makes, so that several threads may run it at once.
        return copy.copy(self)._run(images, probes, audit)

    def _run(
        self,
        images: Sequence[Tensor],
        probes: Sequence[Tensor],
        audit: Tensor | None,
    ) -> Tensor:
        self.audit = audit
        names = [id(tensor) for tensor in self.graph.inputs]
        self._values: dict[int, Any] = dict(zip(names, images, strict=True))
        self._probes: dict[int, Any] = dict(zip(names, probes, strict=True))
        self._probed: dict[int, Tensor] = {}  # images, with relevance starting there
        self._layer_index: dict[int, int] = {}
        self._rectified: set[int] = set()  # outputs of layers that did their ReLU, too
        for step in self.graph.steps:
            outputs = ids(step.outputs)
            if self.analysis.normalised.issuperset(outputs):
                source = sources(step)[0]
                results = compute_step(step, (self._values[id(source)],), {})
                self._probes[outputs[0]] = self._probes[id(source)]
            elif outputs[0] in self.analysis.folded and self._carries_relevance(step):
                continue  # the norm that reads it does both
            else:
                results = self._result(step)
            store(step, results, self._values)
        return self._read(self.analysis.output)

    def _result(self, step: Step) -> Any:
        """Computes a step, with the derivative that its rule asks for."""
        if is_linear(step) and self._carries_relevance(step):
            return self._linear(step)
        args, kwargs = keras.tree.map_structure(
            lambda leaf: self._read(leaf) if is_symbolic(leaf) else leaf,
            (step.args, step.kwargs),
        )
        if is_linear(step):
            return self._layer(step, None).output(args[0])
        if not self._carries_relevance(step):
            return compute_step(step, args, kwargs)
        if self._rectified.intersection(ids(sources(step))):
            return args[0]  # a ReLU that the layer before it did
        name, output = name_of(step), id(step.outputs[0])
        if name in PADDINGS and output in self.analysis.pixels:
            probe = self._probes[id(sources(step)[0])]
            self._probes[output] = compute_step(step, (probe, *args[1:]), kwargs)
        rule = rule_of(step, RULES, "lrp")
        assert rule is not None  # see __init__
        if not self.relevance_is_gradient:
            return rule(self, step, *args, **kwargs)
        if self.input_independent and (ignoring := input_independent_rule(step)):
            return ignoring(self, step, args, kwargs)
        if rule is nonlinearity:
            y = ops.stop_gradient(compute_step(step, args, kwargs))
            return y + gradient_only(args[0])
        if rule is passthrough and not name.startswith(MIXING_PREFIXES):
            return move_entries(self, step, args, kwargs)
        if rule is add_or_concat and name not in MIXING_SUMS:
            return rule(self, step, *args, **kwargs)
        return converted(self, step, rule, args, kwargs)

    def _linear(self, step: Step) -> Tensor:
        """Applies the rule of a linear layer, its batch norm folded in."""
        first = sources(step)[0]
        source, norm = step, None
        if id(first) in self.analysis.folded:
            source, norm = self.analysis.producer[id(first)], step.operation
            first = sources(source)[0]
        layer = self._layer(source, norm)
        x = self._read(first)
        probe = self._probes.get(id(first))
        if self.relevance_is_gradient:
            probe = gradient_only(x) + 1 if probe is None else probe
            x = ops.stop_gradient(x) * (gradient_only(x) + 1)
        terms = self.choose_rule(layer)(layer, x, probe)
        z = ops.stop_gradient(layer.output(x))
        if self.audit is not None or self.relevance_is_gradient:
            return self._sum_of_terms(step, z, terms)
        rectified = self.analysis.only_relu_reads(step)
        if rectified:  # with its ReLU in one: two passes over memory less
            z = ops.relu(z)
            self._rectified.add(id(step.outputs[0]))
        return _with_terms(z, terms, layer, x, rectified)

    def _layer(self, step: Step, norm: keras.Layer | None) -> LinearLayer:
        """Makes the `LinearLayer` of a step; their indices count from the image."""
        source, output = sources(step)[0], step.outputs[0]
        for each in (step.operation, norm):
            if each is not None and type(each).__name__ == "BatchNormalization":
                check_axis(each, len(output.shape))
        return LinearLayer(
            step.operation,
            norm,
            nonnegative=id(source) in self.analysis.nonnegative,
            reads_image=id(source) in self.analysis.pixels,
            index=self._layer_index.setdefault(id(output), len(self._layer_index)),
            uniform_input=lambda pixel: self._uniform(source, pixel),
        )

    def _uniform(self, tensor: Tensor, pixel: float) -> Tensor:
        """Computes a tensor before the first layer for an image of one pixel value."""
        if id(tensor) not in self.analysis.producer:
            return ops.full_like(self._values[id(tensor)], pixel)
        step = self.analysis.producer[id(tensor)]
        before = self._uniform(sources(step)[0], pixel)
        return compute_step(step, (before, *step.args[1:]), {})

    def _sum_of_terms(self, step: Step, z: Tensor, terms: list[Term]) -> Tensor:
        """Gives z the derivative that a rule's terms ask for, and audits the rest."""
        y: Tensor = z if self.relevance_is_gradient else 0
        for term in terms:
            denominator = ops.stop_gradient(term.denominator())
            size = ops.stop_gradient(term.signal)
            if self.relevance_is_gradient:
                weight = term.weight * ops.ones_like(z)
                y = y + (term.signal - size) * ops.divide_no_nan(weight, denominator)
            else:
                weight = term.weight * z
                y = y + term.signal * ops.divide_no_nan(weight, denominator)
            if self.audit is not None:
                rest = ops.divide_no_nan(weight * (denominator - size), denominator)
                zero = weight * ops.cast(denominator == 0, denominator.dtype)
                y = y + self.audited(step, rest)
                y = y + self.audited(step, zero, dropped=True)
        if self.audit is not None and not self.relevance_is_gradient:
            # What rounding leaves between the terms and z, so that the value is z.
            y = y + (z - ops.stop_gradient(y))
        elif self.audit is not None:
            y = z + (y - ops.stop_gradient(y))
        return y

    def absorbed(self, step: Step, constant: Tensor) -> Tensor:
        """Returns a constant of a step's value, whose relevance goes to the audit.

        Args:
            step: The step.
            constant: `(batch, ...)`, what no input contributed.
        """
        constant = ops.stop_gradient(constant)
        if self.audit is None:
            return constant
        return constant * self._entry(step, len(constant.shape))

    def absorb_constants(self, step: Step, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Returns a sum's arguments, where relevance of constants goes to the audit."""
        if self.audit is None:
            return args, kwargs
        rank = len(step.outputs[0].shape)

        def absorb(name: Any, leaf: Any) -> Any:
            if is_symbolic(name) and id(name) in self.analysis.carriers:
                return leaf
            if leaf is None or isinstance(leaf, (str, bool)):
                return leaf
            constant = ops.stop_gradient(read_variable(leaf))
            entry = self._entry(step, rank)
            if self.relevance_is_gradient:
                return constant + gradient_only(entry)
            return constant * entry

        return keras.tree.map_structure(absorb, step.args, args), kwargs

    def audited(self, step: Step, amount: Tensor, dropped: bool = False) -> Tensor:
        """Returns a term by which an amount of relevance goes to the audit.

        Its value is the amount; or zero, where relevance is the derivative.

        Args:
            step: The step that absorbs or drops it.
            amount: `(batch, ...)`.
            dropped: Whether there was no input to give it to.
        """
        entry = self._entry(step, len(amount.shape), dropped)
        return amount * (gradient_only(entry) if self.relevance_is_gradient else entry)

    def _entry(self, step: Step, rank: int, dropped: bool = False) -> Tensor:
        """Returns a step's entry of the audit, `(batch, 1, ...)`."""
        assert self.audit is not None
        output = id(step.outputs[0])
        index = len(self.entries) if dropped else self._entry_index[output]
        return ops.reshape(self.audit[:, index], (-1,) + (1,) * (rank - 1))

    def _read(self, name: Tensor) -> Tensor:
        """Returns a tensor's value; relevance starts at the (normalised) image."""
        key = id(name)
        if key not in self.analysis.normalised and not any(
            name is tensor for tensor in self.graph.inputs
        ):
            return self._values[key]
        if key not in self._probed:
            image = ops.stop_gradient(self._values[key])
            probe = self._probes[key]
            self._probed[key] = (
                image + gradient_only(probe)
                if self.relevance_is_gradient
                else image * probe
            )
        return self._probed[key]

    def _carries_relevance(self, step: Step) -> bool:
        """Whether relevance flows through a step."""
        outputs = ids(step.outputs)
        if self.analysis.normalised.issuperset(outputs):
            return False
        return not self.analysis.carriers.isdisjoint(outputs)

    def _may_absorb(self, step: Step) -> bool:
        """Whether a step may absorb relevance."""
        if is_linear(step) or is_registered(step):
            return True
        if name_of(step) in ADD_OR_CONCAT:
            leaves = keras.tree.flatten(step.args)
            return any(id(leaf) not in self.analysis.carriers for leaf in leaves)
        rule = rule_of(step, RULES, "lrp")
        return rule is nonlinearity and not is_relu(step) or rule in ABSORBING


def _with_terms(
    z: Tensor, terms: list[Term], layer: LinearLayer, x: Tensor, rectified: bool
) -> Tensor:
    """Gives z the derivative of its terms, and keeps little for the backward pass.

    Of each term one factor is kept, not what it is made of; of a norm, where every
    entry of x has one reader, one factor in all.
    """
    if len(terms) == 1 and (slope := terms[0].slope) is not None:
        return with_slope(z, terms[0].signal, lambda: slope(z, rectified))
    factors = [
        ops.stop_gradient(ops.divide_no_nan(term.weight * z, term.denominator()))
        for term in terms
    ]
    if layer.kind == "BatchNormalization":
        constant = ops.stop_gradient(x)
        total = sum(
            factor * ops.divide_no_nan(ops.stop_gradient(term.signal), constant)
            for term, factor in zip(terms, factors, strict=True)
        )
        return with_slope(z, x, _always(total))
    if len(terms) == 1:
        return with_slope(z, terms[0].signal, _always(factors[0]))
    carrier: Tensor = 0
    for term, factor in zip(terms, factors, strict=True):
        zero = ops.stop_gradient(term.signal) * 0
        carrier = carrier + with_slope(zero, term.signal, _always(factor))
    return z + carrier


def _always(slope: Tensor) -> Callable[[], Tensor]:
    """Makes the function that `with_slope` asks for of a slope that is known."""
    return lambda: slope


def _numbered(name: str, names: Collection[str]) -> str:
    """Numbers a name that is taken already."""
    count, numbered = 1, name
    while numbered in names:
        count += 1
        numbered = f"{name} ({count})"
    return numbered
