"""How flat and w-square pass the steps that are no linear layers: values do not count.

A rule that shares by what comes in divides by sums that may vanish; where relevance no
longer follows the values, as under these two, a fraction of it would grow without
bound. So a sum, a product and a norm are treated here as linear maps, too, of whose
weights these rules make ones, or squares. Relevance is the derivative.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from medattn.explain.backend import gradient_only
from medattn.explain.graph.compute import compute_step
from medattn.explain.graph.operations import MIXING_SUMS
from medattn.explain.graph.registry import Rule, rule_of
from medattn.explain.graph.steps import Step, is_symbolic, name_of
from medattn.explain.lrp.nonlinear import (
    RULES,
    Propagation,
    group_norm,
    layer_norm,
    normaliser,
    product,
    quotient,
    rms_norm,
)
from medattn.layers.tensor import Tensor

SCALED = (layer_norm, group_norm, rms_norm, normaliser, quotient)


def input_independent_rule(step: Step) -> Rule | None:
    """Returns the rule of a step whose values do not count, or None.

    Args:
        step: One that is no linear layer.

    Returns:
        A function of the propagator, the step and its arguments.
    """
    if name_of(step) in MIXING_SUMS:
        return share_evenly
    rule = rule_of(step, RULES, "lrp")
    if rule in SCALED:
        return pass_on
    return share_product if rule is product else None


def share_evenly(propagator: Propagation, step: Step, args: Any, kwargs: Any) -> Tensor:
    """Gives each of a sum's n signals R / n, and a constant nothing."""
    y = ops.stop_gradient(compute_step(step, args, kwargs))
    signals = _signals(propagator, step, args, kwargs)
    for _, leaf in signals:
        y = y + (gradient_only(leaf) + ops.zeros_like(y)) / len(signals)
    return y


def pass_on(propagator: Propagation, step: Step, args: Any, kwargs: Any) -> Tensor:
    """Passes relevance on to what is scaled, centred or divided: R_i = R_i."""
    y = ops.stop_gradient(compute_step(step, args, kwargs))
    return y + gradient_only(_signals(propagator, step, args, kwargs)[0][1])


def share_product(
    propagator: Propagation, step: Step, args: Any, kwargs: Any
) -> Tensor:
    """Treats a product as a linear map of its signal, with the other as its weights.

    R_j = sum_k R_k / n_k, or sum_k g_jk^2 R_k / sum_j g_jk^2; two signals take half.
    """
    y = ops.stop_gradient(compute_step(step, args, kwargs))
    signals = _signals(propagator, step, args, kwargs)
    fraction = 1 / len(signals)
    for index, leaf in signals:
        if name_of(step) == "Multiply":
            y = y + (gradient_only(leaf) + ops.zeros_like(y)) * fraction
            continue
        layer = ProductAsLinearLayer(step, args, kwargs, index)
        (term,) = propagator.choose_rule(layer)(layer, leaf, gradient_only(leaf) + 1)
        denominator = ops.stop_gradient(term.denominator())
        y = y + gradient_only(term.signal) * ops.divide_no_nan(
            fraction * ops.ones_like(denominator), denominator
        )
        if propagator.audit is not None:
            zero = fraction * ops.cast(denominator == 0, denominator.dtype)
            y = y + propagator.audited(step, zero)
    return y


class ProductAsLinearLayer:
    """A product as a linear layer of one of its factors.

    Args:
        step: A matrix product or its like.
        args: Its arguments' values.
        kwargs: Those by name.
        index: The factor's, among the leaves of both.
    """

    reads_image, kind = False, "Product"

    def __init__(self, step: Step, args: Any, kwargs: Any, index: int):
        self.step, self.index = step, index
        self.args, self.kwargs = args, kwargs

    def ones(self, x: Tensor) -> Tensor:
        """Sums the factor's entries: every weight is one."""
        return self._times(x, ops.ones_like)

    def squared(self, x: Tensor) -> Tensor:
        """Sums the factor's entries by their squared weights."""
        return self._times(x, ops.square)

    def _times(self, x: Tensor, weights: Callable[[Tensor], Tensor]) -> Tensor:
        leaves = keras.tree.flatten((self.args, self.kwargs))
        changed = [
            x
            if index == self.index
            else (
                ops.stop_gradient(weights(ops.convert_to_tensor(leaf)))
                if ops.is_tensor(leaf) or isinstance(leaf, keras.Variable)
                else leaf
            )
            for index, leaf in enumerate(leaves)
        ]
        packed = keras.tree.pack_sequence_as((self.args, self.kwargs), changed)
        return compute_step(self.step, *packed)


def _signals(
    propagator: Propagation, step: Step, args: Any, kwargs: Any
) -> list[tuple[int, Tensor]]:
    """Lists the indices and values of the arguments that relevance goes to."""
    names = keras.tree.flatten((step.args, step.kwargs))
    leaves = keras.tree.flatten((args, kwargs))
    analysis = propagator.analysis
    signals = set(analysis.signals(step)) & analysis.carriers
    return [
        (index, leaf)
        for index, (name, leaf) in enumerate(zip(names, leaves, strict=True))
        if is_symbolic(name) and id(name) in signals
    ]
