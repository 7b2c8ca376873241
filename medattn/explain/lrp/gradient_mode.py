"""Conversions for rules under which relevance is the derivative itself.

Most rules are written for relevance as *input times derivative*. Where it is the
derivative itself, a rule that moves entries needs no change but at a border, and any
other rule is converted at both ends.
"""

from typing import Any

import keras
from keras import ops

from medattn.explain.backend import gradient_only
from medattn.explain.graph.compute import compute_step
from medattn.explain.graph.operations import PADDING_PREFIXES
from medattn.explain.graph.registry import Rule
from medattn.explain.graph.steps import Step, is_symbolic, name_of
from medattn.explain.lrp.nonlinear import Propagation
from medattn.layers.tensor import Tensor


def move_entries(propagator: Propagation, step: Step, args: Any, kwargs: Any) -> Any:
    """Moves entries about; relevance that arrives in a border is dropped."""
    y = compute_step(step, args, kwargs)
    if propagator.audit is None or not name_of(step).startswith(PADDING_PREFIXES):
        return y
    ones = [ops.ones_like(args[0]), *args[1:]]
    empty = 1 - ops.stop_gradient(compute_step(step, ones, kwargs))
    return y + propagator.audited(step, empty)


def converted(
    propagator: Propagation, step: Step, rule: Rule, args: Any, kwargs: Any
) -> Any:
    """Runs a rule made for input times derivative, and converts at both ends."""
    carriers = propagator.analysis.carriers
    signal_args, signal_kwargs = keras.tree.map_structure(
        lambda name, leaf: (
            ops.stop_gradient(leaf) * (gradient_only(leaf) + 1)
            if is_symbolic(name) and id(name) in carriers
            else leaf
        ),
        (step.args, step.kwargs),
        (args, kwargs),
    )
    propagator.relevance_is_gradient = False
    results = rule(propagator, step, *signal_args, **signal_kwargs)
    propagator.relevance_is_gradient = True

    def back(y: Tensor) -> Tensor:
        size = ops.stop_gradient(y)
        fraction = size + (y - size) * ops.divide_no_nan(ops.ones_like(size), size)
        if propagator.audit is None:
            return fraction
        zero = ops.cast(size == 0, size.dtype)
        return fraction + propagator.audited(step, zero)

    return keras.tree.map_structure(back, results)
