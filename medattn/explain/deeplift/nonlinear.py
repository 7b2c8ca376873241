"""DeepLIFT's rules for all steps that are not linear layers, each one small function.

A rule takes the propagator, the step and its inputs as pairs of a reference and a
difference from it, and returns the output's pair; see
`medattn.explain.deeplift.propagate`. Below, [.] = stop_gradient. LRP's rules, in
`medattn.explain.lrp.nonlinear`, have the same names.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import keras
from keras import ops

from medattn.explain.backend import with_slope
from medattn.explain.deeplift.max_pool import max_pool, maximum, maximum_over
from medattn.explain.deeplift.pairs import Pair, pairs_of
from medattn.explain.deeplift.rules import Parts, sum_of_parts
from medattn.explain.graph.compute import compute_step
from medattn.explain.graph.norms import in_groups, shape_of_weights, weights_of_norm
from medattn.explain.graph.operations import (
    GLOBAL_MAX_POOLINGS,
    MAX_POOLINGS,
    NONLINEARITIES,
    NORMALISERS,
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
        reveal_cancel: Whether positive and negative contributions are kept apart.
        parts: Those of some differences, by the ids of the tensors.
    """

    reveal_cancel: bool
    parts: dict[int, Parts]


def passthrough(
    propagator: Propagation, step: Step, *args: Any, **kwargs: Any
) -> Pair | list[Pair]:
    """Moves, adds and averages differences as it does values."""
    references, differences = _split(args)
    reference = compute_step(step, references, kwargs)
    difference = compute_step(step, differences, kwargs)
    if isinstance(reference, (list, tuple)):
        return [Pair(r, d) for r, d in zip(reference, difference, strict=True)]
    return Pair(reference, difference)


def add_or_concat(
    propagator: Propagation, step: Step, *args: Any, **kwargs: Any
) -> Pair | list[Pair]:
    """Adds or joins differences; a constant has none."""
    pair = passthrough(propagator, step, *args, **kwargs)
    if propagator.reveal_cancel and name_of(step) == "Add":
        terms = [p.difference for p in pairs_of(args) if p.difference is not None]
        up = sum(ops.relu(term) for term in terms)
        down = -sum(ops.relu(-term) for term in terms)
        propagator.parts[id(step.outputs[0])] = up, down
    return pair


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


def nonlinearity(propagator: Propagation, step: Step, pair: Pair) -> Pair:
    """Multiplies by the secant of a nonlinearity between reference and image.

    dy = dx [(f(r + dx) - f(r)) / dx]; with RevealCancel, for each of the positive and
    the negative contributions to dx by itself, averaged over which of them comes first.

    Reference:
        [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685), sections 3.5.2
        (Rescale) and 3.5.3 (RevealCancel).
    """

    def activation(x: Tensor) -> Tensor:
        return compute_step(step, (x,), {})

    f = None if is_relu(step) else activation
    r, d = pair.reference, pair.difference
    source = ids(sources(step))[0]
    reference = compute_step(step, (r,), {})
    if source not in propagator.parts:
        return Pair(reference, secant(f, r, d))
    up, down = propagator.parts[source]
    detached_up, detached_down = ops.stop_gradient(up), ops.stop_gradient(down)
    rise = secant(f, r, up, also=r + detached_down)
    fall = secant(f, r, down, also=r + detached_up)
    total = secant(f, r, ops.stop_gradient(d))
    return Pair(reference, sum_of_parts(rise, fall, total))


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
        if f is None:
            return steep
        flat = sum(tangent(f, start) for start in starts) / len(starts)
        return ops.where(ops.abs(detached) < near, flat, steep)

    return with_slope(y, d, slope)


def softmax(propagator: Propagation, step: Step, pair: Pair) -> Pair:
    """Treats a softmax as exponential, sum, reciprocal and product.

    d(e q) = de [(q_r + q) / 2] - d(sum e) [(e_r + e) / 2 q_r q], with e the exponential
    and q = 1 / sum e.
    """
    axis = getattr(step.operation, "axis", -1)
    r, d = pair.reference, pair.difference
    detached = ops.stop_gradient(d)
    largest = ops.maximum(
        ops.max(r, axis=axis, keepdims=True),
        ops.max(r + detached, axis=axis, keepdims=True),
    )
    start, end = ops.exp(r - largest), ops.exp(r + detached - largest)
    small = ops.clip(detached, -1.0, 1.0)
    rise = ops.where(ops.abs(detached) < 1, start * ops.expm1(small), end - start)
    exponential = with_slope(
        rise,
        d,
        lambda: ops.where(detached == 0, start, ops.divide_no_nan(rise, detached)),
    )
    more = ops.sum(exponential, axis=axis, keepdims=True)
    before = ops.sum(start, axis=axis, keepdims=True)
    after = ops.stop_gradient(before + more)
    reciprocal = (1 / before + 1 / after) / 2
    middle = (start + end) / 2 / (before * after)
    difference = exponential * reciprocal - more * ops.stop_gradient(middle)
    return Pair(start / before, difference)


def layer_norm(propagator: Propagation, step: Step, pair: Pair) -> Pair:
    """Treats a layer norm as centring, squares, reciprocal root and product.

    d(c q) = dc [(q_r + q) / 2] + dq [(c_r + c) / 2], with c the centred input and
    q = 1 / sqrt(mean c^2 + epsilon), d(c^2) = dc [2 c_r + dc] and
    dq = -d(mean c^2) [q_r^2 q^2 / (q_r + q)].
    """
    layer = step.operation
    bare = layer.rms_scaling  # Keras scales then, and centres nothing
    y = _standardised(pair, layer.axis, layer.epsilon, divide_centred=not bare)
    return _scaled(step, y, layer.axis)


def rms_norm(propagator: Propagation, step: Step, pair: Pair) -> Pair:
    """Treats a root-mean-square norm as a layer norm that does not centre."""
    layer = step.operation
    y = _standardised(pair, layer.axis, layer.epsilon, centre=False)
    return _scaled(step, y, layer.axis)


def group_norm(propagator: Propagation, step: Step, pair: Pair) -> Pair:
    """Treats a group norm as a layer norm of every group of channels by itself."""
    layer = step.operation
    reference, axes = in_groups(layer, pair.reference)
    difference, _ = in_groups(layer, pair.difference)
    parts = _standardised(Pair(reference, difference), axes, layer.epsilon)
    y = Pair(
        ops.reshape(parts.reference, ops.shape(pair.reference)),
        ops.reshape(parts.difference, ops.shape(pair.difference)),
    )
    return _scaled(step, y, -1)


def normaliser(propagator: Propagation, step: Step, pair: Pair) -> Pair:
    """Scales a difference as Normalization or Rescaling scales a pixel."""
    at_zero = compute_step(step, (ops.zeros_like(pair.reference),), {})
    return Pair(
        compute_step(step, (pair.reference,), {}),
        compute_step(step, (pair.difference,), {}) - at_zero,
    )


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


def _standardised(
    pair: Pair,
    axes: int | Sequence[int],
    epsilon: float,
    *,
    centre: bool = True,
    divide_centred: bool = True,
) -> Pair:
    """Divides by the standard deviation over axes, see `layer_norm`.

    Args:
        pair: Of a reference and a difference.
        axes: Over which to centre and to measure.
        epsilon: What is added to the variance.
        centre: Whether what is squared is centred.
        divide_centred: Whether what is divided is centred.
    """

    def mean(x: Tensor) -> Tensor:
        return ops.mean(x, axis=axes, keepdims=True)

    c, dc = pair.reference, pair.difference
    if centre:
        c, dc = c - mean(c), dc - mean(dc)
    detached = ops.stop_gradient(dc)
    spread = mean(dc * (2 * c + detached))
    variance = mean(ops.square(c)) + epsilon
    q = ops.rsqrt(variance)
    q_end = ops.rsqrt(ops.maximum(variance + ops.stop_gradient(spread), epsilon))
    dq = -spread * ops.square(q * q_end) / (q + q_end)
    x, dx = (c, dc) if divide_centred else (pair.reference, pair.difference)
    middle = x + ops.stop_gradient(dx) / 2
    return Pair(x * q, dx * ((q + q_end) / 2) + dq * middle)


def _scaled(step: Step, pair: Pair, axes: int | Sequence[int]) -> Pair:
    """Applies a norm's own scale and shift."""
    reference, difference = pair.reference, pair.difference
    shape = shape_of_weights(axes, reference)
    scale, shift = weights_of_norm(step.operation)
    if scale is not None:
        scale = ops.reshape(scale, shape)
        reference, difference = reference * scale, difference * scale
    if shift is not None:
        reference = reference + ops.reshape(shift, shape)
    return Pair(reference, difference)


def _split(args: Any) -> tuple[Any, Any]:
    """Splits arguments into references and differences; constants differ by zero."""
    moving = [p.difference for p in pairs_of(args) if p.difference is not None]
    batch = ops.shape(moving[0])[0]

    def difference(leaf: Any) -> Any:
        if isinstance(leaf, Pair):
            if leaf.difference is not None:
                return leaf.difference
            zeros = ops.zeros_like(leaf.reference)
            return ops.broadcast_to(zeros, (batch, *ops.shape(zeros)[1:]))
        number = ops.is_tensor(leaf) or isinstance(leaf, (float, keras.Variable))
        return ops.zeros_like(ops.convert_to_tensor(leaf)) if number else leaf

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
    | dict.fromkeys(NORMALISERS, normaliser)
    | dict.fromkeys((*GLOBAL_MAX_POOLINGS, "Max"), maximum_over)
    | dict.fromkeys(MAX_POOLINGS, max_pool)
    | {
        "GroupNormalization": group_norm,
        "LayerNormalization": layer_norm,
        "Maximum": maximum,
        "RMSNormalization": rms_norm,
        "Softmax": softmax,
    }
)
