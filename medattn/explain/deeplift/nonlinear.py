"""DeepLIFT's rules for all steps that are not linear layers, each one small function.

A rule takes the propagator, the step and its inputs as pairs of a reference and a
difference from it, and returns the output's pair; see
`medattn.explain.deeplift.propagate`. Below, [.] = stop_gradient. LRP's rules, in
`medattn.explain.lrp.nonlinear`, have the same names.
"""

from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from medattn.explain.backend import with_slope
from medattn.explain.deeplift.max_pool import max_pool, maximum, maximum_over, minimum
from medattn.explain.deeplift.norms import group_norm, layer_norm, rms_norm
from medattn.explain.deeplift.pairs import Pair, pairs_of
from medattn.explain.deeplift.rules import Parts, sum_of_parts
from medattn.explain.graph.analysis import Analysis
from medattn.explain.graph.compute import compute_step, function_of
from medattn.explain.graph.operations import (
    AFFINE,
    GLOBAL_MAX_POOLINGS,
    MAX_POOLINGS,
    NONLINEARITIES,
    PASSTHROUGH,
    PRODUCTS,
    QUOTIENTS,
)
from medattn.explain.graph.registry import Rule
from medattn.explain.graph.steps import Step, ids, is_relu, name_of, sources
from medattn.explain.precision import working_precision
from medattn.layers.tensor import Tensor

# Below the first a secant is lost in rounding, and a tangent is exact; the second is
# half the width of a numerical tangent.
NEAR_AND_WIDTH = {"float32": (1e-3, 5e-3), "float64": (1e-6, 1e-4)}


class Propagation(Protocol):
    """What a rule may ask of the propagator that runs it.

    Attributes:
        analysis: What is known of the graph.
        reveal_cancel: Whether positive and negative contributions are kept apart.
        parts: Those of some differences, by the ids of the tensors.
    """

    analysis: Analysis
    reveal_cancel: bool
    parts: dict[int, Parts]


def passthrough(
    propagator: Propagation, step: Step, *args: Any, **kwargs: Any
) -> Pair | list[Pair]:
    """Moves, adds and averages differences as it does values."""
    if step.kind == "Linear":  # its constants are weights
        pair, function = _function_of(propagator, step, args, kwargs)
        return Pair(function(pair.reference), function(pair.difference))
    return _moved(step, args, kwargs)


def _moved(
    step: Step, args: Any, kwargs: Any, *, sums: bool = False
) -> Pair | list[Pair]:
    """Computes a step of references and of differences, see `_split`."""
    references, differences = _split(args, sums=sums)
    kwargs = keras.tree.map_structure(
        lambda leaf: leaf.reference if isinstance(leaf, Pair) else leaf, kwargs
    )
    reference = compute_step(step, references, kwargs)
    difference = compute_step(step, differences, kwargs)
    if isinstance(reference, (list, tuple)):
        return [Pair(r, d) for r, d in zip(reference, difference, strict=True)]
    return Pair(reference, difference)


def add_or_concat(
    propagator: Propagation, step: Step, *args: Any, **kwargs: Any
) -> Pair | list[Pair]:
    """Adds or joins differences; a constant has none."""
    pair = _moved(step, args, kwargs, sums=True)
    if propagator.reveal_cancel and name_of(step) == "Add":
        terms = [p.difference for p in pairs_of(args) if p.difference is not None]
        up = sum(ops.relu(term) for term in terms)
        down = -sum(ops.relu(-term) for term in terms)
        propagator.parts[id(step.outputs[0])] = up, down
    return pair


def where(propagator: Propagation, step: Step, condition: Any, x: Any, y: Any) -> Pair:
    """Chooses between differences as between values, by a constant condition."""
    chosen = condition.reference if isinstance(condition, Pair) else condition
    references, differences = _split((x, y), sums=True)
    return Pair(ops.where(chosen, *references), ops.where(chosen, *differences))


def product(propagator: Propagation, step: Step, *args: Any, **kwargs: Any) -> Pair:
    """Shares a product's difference by the mean of the other factor.

    d(ab) = da [b_r + db / 2] + db [a_r + da / 2], exactly: the Shapley value of two.

    Reference:
        [Lundberg and Lee, 2017](https://arxiv.org/abs/1705.07874), section 4.
    """
    factors = [_as_pair(leaf) for leaf in keras.tree.flatten(args)]
    listed = isinstance(args[0], (list, tuple))

    def times(a: Tensor, b: Tensor) -> Tensor:
        return compute_step(step, ([a, b],) if listed else (a, b), kwargs)

    total = factors[0]
    for factor in factors[1:]:
        total = _multiplied(times, total, factor)
    return total


def quotient(propagator: Propagation, step: Step, x: Any, y: Any) -> Pair:
    """Multiplies by the reciprocal, `d(1 / y) = -dy / [y_r y]`."""
    x, y = _as_pair(x), _as_pair(y)
    if y.difference is not None:
        detached = ops.stop_gradient(y.reference * y.value)
        reciprocal = Pair(1 / y.reference, -y.difference / detached)
    else:
        reciprocal = Pair(1 / y.reference, None)
    return _multiplied(lambda a, b: a * b, x, reciprocal)


def nonlinearity(
    propagator: Propagation, step: Step, *args: Any, **kwargs: Any
) -> Pair:
    """Multiplies by the secant of a nonlinearity between reference and image.

    dy = dx [(f(r + dx) - f(r)) / dx]; with RevealCancel, for each of the positive and
    the negative contributions to dx by itself, averaged over which of them comes first.

    Reference:
        [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685), sections 3.5.2
        (Rescale) and 3.5.3 (RevealCancel).
    """
    pair, activation = _function_of(propagator, step, args, kwargs)
    f = None if is_relu(step) else activation
    r, d = pair.reference, pair.difference
    source = ids(sources(step))[0]
    reference = activation(r)
    if source not in propagator.parts:
        return Pair(reference, secant(f, r, d))
    up, down = propagator.parts[source]
    detached_up, detached_down = ops.stop_gradient(up), ops.stop_gradient(down)
    rise = secant(f, r, up, also=r + detached_down)
    fall = secant(f, r, down, also=r + detached_up)
    total = secant(f, r, ops.stop_gradient(d))
    return Pair(reference, sum_of_parts(rise, fall, total))


def _function_of(
    propagator: Propagation, step: Step, args: Any, kwargs: Any
) -> tuple[Pair, Callable[[Tensor], Tensor]]:
    """Takes a step of one moving pair as a function of it, see `function_of`."""
    depends = propagator.analysis.depends
    pair, _ = function_of(step, args, kwargs, depends)
    plain = keras.tree.map_structure(
        lambda leaf: leaf.reference if isinstance(leaf, Pair) else leaf, (args, kwargs)
    )
    return pair, function_of(step, plain[0], plain[1], depends)[1]


def secant(
    f: Callable[[Tensor], Tensor] | None,
    r: Tensor,
    d: Tensor,
    also: Tensor | None = None,
) -> Tensor:
    """Sends a difference through a nonlinearity, `f(r + d) - f(r)`.

    Args:
        f: The function; None for the ReLU, whose differences are exact.
        r: Where it starts.
        d: How far it goes.
        also: A second start; the two results are averaged.
    """
    detached = ops.stop_gradient(d)
    near, width = NEAR_AND_WIDTH[working_precision()]

    def rise(r: Tensor) -> Tensor:
        if f is None:  # max(d, -r) + min(r, 0): no large number minus another
            return ops.maximum(detached, -r) - ops.relu(-r)
        return f(r + detached) - f(r)

    def tangent(f: Callable[[Tensor], Tensor], r: Tensor) -> Tensor:
        middle = r + detached / 2
        return (f(middle + width) - f(middle - width)) / (2 * width)

    starts = [r] if also is None else [r, also]
    y = sum(rise(start) for start in starts) / len(starts)

    def slope() -> Tensor:
        steep = ops.divide_no_nan(y, detached)
        if f is None:  # where nothing moves, the derivative
            still = sum(ops.cast(start > 0, d.dtype) for start in starts) / len(starts)
            return ops.where(detached == 0, still, steep)
        flat = sum(tangent(f, start) for start in starts) / len(starts)
        known = ops.logical_and(ops.abs(detached) < near, ops.isfinite(flat))
        return ops.where(known, flat, steep)

    return with_slope(y, d, slope)


def softmax(propagator: Propagation, step: Step, pair: Pair) -> Pair:
    """Shares a softmax's difference by the logarithmic means of its probabilities.

    dp_i = [L_i] (dx_i - sum_j [L_j] dx_j / sum_j [L_j]),   L = (q - p) / ln(q / p),
    with p the probability at the reference and q at the image. It is exact, since
    q - p = L (dx - d ln sum e^x), and bounded, as L lies between p and q.
    """
    log_p, means, axis = _logarithmic_means(step, pair)
    shared = _weighted_mean(pair.difference, means, axis)
    return Pair(ops.exp(log_p), means * (pair.difference - shared))


def log_softmax(propagator: Propagation, step: Step, pair: Pair) -> Pair:
    """Subtracts the mean difference, weighed as in `softmax`."""
    log_p, means, axis = _logarithmic_means(step, pair)
    shared = _weighted_mean(pair.difference, means, axis)
    return Pair(log_p, pair.difference - shared)


def logsumexp(propagator: Propagation, step: Step, pair: Pair) -> Pair:
    """Takes the mean difference, weighed as in `softmax`."""
    _, means, axis = _logarithmic_means(step, pair)
    shared = _weighted_mean(pair.difference, means, axis)
    if not step.operation.keepdims:
        shared = ops.squeeze(shared, axis=axis)
    return Pair(compute_step(step, (pair.reference,), {}), shared)


def _logarithmic_means(step: Step, pair: Pair) -> tuple[Tensor, Tensor, Any]:
    """Computes what a softmax's differences are shared by.

    Returns:
        The logarithms of the probabilities at the reference; the logarithmic means of
        those and the image's; and the axis.
    """
    axis = getattr(step.operation, "axis", -1)
    axis = tuple(axis) if isinstance(axis, list) else axis
    r, d = pair.reference, ops.stop_gradient(pair.difference)

    def log_sum(x: Tensor) -> Tensor:
        return ops.logsumexp(x, axis=axis, keepdims=True)

    log_p, log_q = r - log_sum(r), r + d - log_sum(r + d)
    p, q = ops.exp(log_p), ops.exp(log_q)
    # How far ln sum e^x moves: where all moves are small, without a difference of two.
    small = ops.clip(d, -1.0, 1.0)
    near = ops.log1p(ops.sum(p * ops.expm1(small), axis=axis, keepdims=True))
    is_near = ops.max(ops.abs(d), axis=axis, keepdims=True) < 1
    rise = d - ops.where(is_near, near, log_sum(r + d) - log_sum(r))  # ln q - ln p
    less = ops.clip(rise, -1.0, 1.0)
    tangent = p * (1 + less / 2 + less * less / 6)
    secant = ops.where(ops.abs(rise) < 1, p * ops.expm1(less), q - p)
    steep = ops.abs(rise) > 1e-3
    means = ops.where(steep, secant / ops.where(steep, rise, 1.0), tangent)
    return log_p, ops.stop_gradient(means), axis


def _weighted_mean(x: Tensor, weights: Tensor, axis: Any) -> Tensor:
    total = ops.sum(weights, axis=axis, keepdims=True)
    return ops.sum(weights * x, axis=axis, keepdims=True) / total


def normaliser(propagator: Propagation, step: Step, *args: Any, **kwargs: Any) -> Pair:
    """Scales a difference as Normalization or Rescaling scales a pixel."""
    pair, function = _function_of(propagator, step, args, kwargs)
    at_zero = function(ops.zeros_like(pair.reference))
    return Pair(function(pair.reference), function(pair.difference) - at_zero)


def _as_pair(leaf: Any) -> Pair:
    """Makes a pair of a constant."""
    return leaf if isinstance(leaf, Pair) else Pair(leaf, None)


def _multiplied(times: Callable[[Tensor, Tensor], Tensor], a: Pair, b: Pair) -> Pair:
    """Multiplies two pairs, see `product`."""

    def middle(pair: Pair) -> Tensor:
        if pair.difference is None:
            return pair.reference
        return ops.stop_gradient(pair.reference + pair.difference / 2)

    differences = []
    if a.difference is not None:
        differences.append(times(a.difference, middle(b)))
    if b.difference is not None:
        differences.append(times(middle(a), b.difference))
    return Pair(
        times(a.reference, b.reference), sum(differences) if differences else None
    )


def _split(args: Any, *, sums: bool = False) -> tuple[Any, Any]:
    """Splits arguments into references and differences; constants differ by zero.

    Args:
        args: Pairs, constants and settings.
        sums: Whether a whole number is a term, and no setting such as an axis.
    """
    constants: Any = (float, keras.Variable, np.ndarray, np.floating)
    constants += (int, np.integer) if sums else ()
    moving = [p.difference for p in pairs_of(args) if p.difference is not None]
    batch, rank = ops.shape(moving[0])[0], len(moving[0].shape)

    def difference(leaf: Any) -> Any:
        if isinstance(leaf, Pair):
            if leaf.difference is not None:
                return leaf.difference
            zeros = ops.zeros_like(leaf.reference)
            if len(zeros.shape) != rank or zeros.shape[0] not in (None, 1):
                return zeros  # of fewer axes, none of which is the batch
            return ops.broadcast_to(zeros, (batch, *ops.shape(zeros)[1:]))
        if isinstance(leaf, bool) or not isinstance(leaf, constants):
            return ops.zeros_like(leaf) if ops.is_tensor(leaf) else leaf
        return ops.zeros_like(ops.convert_to_tensor(leaf))

    references = keras.tree.map_structure(
        lambda leaf: leaf.reference if isinstance(leaf, Pair) else leaf, args
    )
    return references, keras.tree.map_structure(difference, args)


ADD_OR_CONCAT = ("Add", "Average", "Concatenate", "Stack", "Subtract")
DEEP_LIFT_RULES: dict[str, Rule] = (
    dict.fromkeys(PASSTHROUGH, passthrough)
    | dict.fromkeys(ADD_OR_CONCAT, add_or_concat)
    | dict.fromkeys(NONLINEARITIES, nonlinearity)
    | dict.fromkeys(PRODUCTS, product)
    | dict.fromkeys(QUOTIENTS, quotient)
    | dict.fromkeys(AFFINE, normaliser)
    | dict.fromkeys((*GLOBAL_MAX_POOLINGS, "Max"), maximum_over)
    | dict.fromkeys(MAX_POOLINGS, max_pool)
    | {
        "GroupNormalization": group_norm,
        "LayerNormalization": layer_norm,
        "LogSoftmax": log_softmax,
        "Logsumexp": logsumexp,
        "Maximum": maximum,
        "Minimum": minimum,
        "RMSNormalization": rms_norm,
        "Softmax": softmax,
        "Where": where,
    }
)
