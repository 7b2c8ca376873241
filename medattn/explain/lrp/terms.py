"""The terms of a linear layer's rule as one step with little to keep."""

from collections.abc import Callable

from keras import ops

from medattn.explain.backend import with_slope
from medattn.explain.graph.linear_layers import LinearLayer
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


def _always(slope: Tensor) -> Callable[[], Tensor]:
    """Makes the function that `with_slope` asks for of a slope that is known."""
    return lambda: slope
