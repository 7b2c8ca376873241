"""The terms of a linear layer's rule as one step: to audit, or with little to keep."""

from collections.abc import Callable

from keras import ops

from medattn.explain.backend import with_slope
from medattn.explain.graph.linear_layers import LinearLayer
from medattn.explain.graph.steps import Step
from medattn.explain.lrp.constants import rest_by_part
from medattn.explain.lrp.nonlinear import Propagation
from medattn.explain.lrp.rules import Term
from medattn.layers.tensor import Tensor


def with_terms(
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


def with_audit(
    propagator: Propagation,
    step: Step,
    z: Tensor,
    terms: list[Term],
    layer: LinearLayer,
) -> Tensor:
    """Gives z the derivative that a rule's terms ask for, and audits the rest.

    Args:
        propagator: The propagator that runs the step.
        step: The step.
        z: Its value.
        terms: What its rule counts.
        layer: The step as a linear layer.
    """
    is_gradient = propagator.relevance_is_gradient
    y: Tensor = z if is_gradient else 0
    for term in terms:
        denominator = ops.stop_gradient(term.denominator())
        size = ops.stop_gradient(term.signal)
        weight = term.weight * (ops.ones_like(z) if is_gradient else z)
        signal = term.signal - size if is_gradient else term.signal
        y = y + signal * ops.divide_no_nan(weight, denominator)
        if propagator.audit is None:
            continue
        for part, rest in rest_by_part(layer, term, denominator, size).items():
            amount = ops.divide_no_nan(weight * rest, denominator)
            y = y + propagator.audited(step, amount, part)
        zero = weight * ops.cast(denominator == 0, denominator.dtype)
        y = y + propagator.audited(step, zero)
    if propagator.audit is not None and not is_gradient:
        # What rounding leaves between the terms and z, so that the value is z.
        y = y + (z - ops.stop_gradient(y))
    elif propagator.audit is not None:
        y = z + (y - ops.stop_gradient(y))
    return y


def _always(slope: Tensor) -> Callable[[], Tensor]:
    """Makes the function that `with_slope` asks for of a slope that is known."""
    return lambda: slope
