"""DeepLIFT's rules for all steps that are not linear layers, each one small function.

A rule takes the walk, the step and its inputs as pairs of a reference and a difference
from it, and returns the output's pair; see `medattn.explain.deeplift.propagate`.
"""

import keras
from keras import ops

from medattn.explain.backend import with_slope
from medattn.explain.deeplift.max_pool import (
    Pair,
    max_pool,
    maximum,
    maximum_over,
    pairs_of,
)
from medattn.explain.graph import analysis as of
from medattn.explain.graph.linear_layers import check_axis
from medattn.explain.lrp.nonlinear import BENDS, PLACES, divided, weights_of_norm
from medattn.explain.precision import working

# Below the first a secant is lost in rounding, and a tangent is exact; the second is
# half the width of a numerical tangent.
NEAR = {"float32": (1e-3, 5e-3), "float64": (1e-6, 1e-4)}


def place(walk, step, *args, **kwargs):
    """Moves, adds and averages differences as it does values."""
    references, differences = _apart(args)
    reference = walk.plain(step, references, kwargs)
    difference = walk.plain(step, differences, kwargs)
    if isinstance(reference, (list, tuple)):
        return [Pair(r, d) for r, d in zip(reference, difference, strict=True)]
    return Pair(reference, difference)


def together(walk, step, *args, **kwargs):
    """Adds or joins differences; a constant has none."""
    pair = place(walk, step, *args, **kwargs)
    if walk.cancel and of.name_of(step) == "Add":
        terms = [p.difference for p in pairs_of(args) if p.difference is not None]
        up = sum(ops.relu(term) for term in terms)
        walk.parts[id(step.outputs[0])] = up, -sum(ops.relu(-term) for term in terms)
    return pair


def bend(walk, step, pair):
    """Multiplies by the secant of a nonlinearity between reference and image.

    dy = dx (f(r + dx) - f(r)) / dx; with RevealCancel, for each of the positive and the
    negative contributions to dx by itself, averaged over which of them comes first.

    Reference:
        [Shrikumar et al., 2017](https://arxiv.org/abs/1704.02685), sections 3.5.2
        (Rescale) and 3.5.3 (RevealCancel).
    """

    def f(x):
        return walk.plain(step, (x,), {})

    if of.is_relu(step):
        f = None
    r, d = pair.reference, pair.difference
    source = of.ids((step.args, step.kwargs))[0]
    reference = walk.plain(step, (r,), {})
    if source not in walk.parts:
        return Pair(reference, secant(f, r, d))
    up, down = walk.parts[source]
    fixed_up, fixed_down = ops.stop_gradient(up), ops.stop_gradient(down)
    rise = secant(f, r, up, also=r + fixed_down)
    fall = secant(f, r, down, also=r + fixed_up)
    return Pair(reference, summed(rise, fall, secant(f, r, ops.stop_gradient(d))))


def summed(up, down, total):
    """Adds a positive and a negative part whose sum is known better than they are.

    Where both are large and their sum is small, float32 loses its digits. What they
    miss of the total is shared by their size.

    Args:
        up: The positive part.
        down: The negative part.
        total: Their sum as it comes out in one piece.
    """
    size = ops.abs(up) + ops.abs(down)
    missed = ops.stop_gradient(total - up - down)
    return up + down + size * divided(missed, ops.stop_gradient(size))


def secant(f, r, d, also=None):
    """Sends a difference through a nonlinearity, `f(r + d) - f(r)`.

    Args:
        f: The function; None for the ReLU, whose differences are exact.
        r: Where it starts.
        d: How far it goes.
        also: A second start; the two results are averaged.
    """
    still = ops.stop_gradient(d)
    near, width = NEAR[working()]

    def rise(r):
        if f is None:  # max(d, -r) + min(r, 0): no large number minus another
            return ops.maximum(still, -r) - ops.relu(-r)
        return f(r + still) - f(r)

    def tangent(r):
        middle = r + still / 2
        return (f(middle + width) - f(middle - width)) / (2 * width)

    starts = [r] if also is None else [r, also]
    y = sum(rise(start) for start in starts) / len(starts)

    def slope():
        steep = divided(y, still)
        if f is None:
            return steep
        flat = sum(tangent(start) for start in starts) / len(starts)
        return ops.where(ops.abs(still) < near, flat, steep)

    return with_slope(y, d, slope)


def product(walk, step, *args, **kwargs):
    """Shares a product's difference by the mean of the other factor.

    d(ab) = da [b_r + db / 2] + db [a_r + da / 2], exactly: the Shapley value of two.

    Reference:
        [Lundberg and Lee, 2017](https://arxiv.org/abs/1705.07874), section 4.
    """
    leaves = keras.tree.flatten(args)
    factors = [leaf if isinstance(leaf, Pair) else Pair(leaf, None) for leaf in leaves]
    listed = isinstance(args[0], (list, tuple))

    def times(a, b):
        return walk.plain(step, ([a, b],) if listed else (a, b), kwargs)

    total = factors[0]
    for factor in factors[1:]:
        total = _multiplied(times, total, factor)
    return total


def _multiplied(times, a, b):
    def middle(pair):
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


def quotient(walk, step, a, b):
    """Multiplies by the reciprocal, `d(1 / b) = -db / (b_r b)`."""
    a, b = (p if isinstance(p, Pair) else Pair(p, None) for p in (a, b))
    if b.difference is not None:
        held = ops.stop_gradient(b.reference * b.value)
        b = Pair(1 / b.reference, -b.difference / held)
    else:
        b = Pair(1 / b.reference, None)
    return _multiplied(lambda x, y: x * y, a, b)


def softmax(walk, step, pair):
    """Takes a softmax as exponential, sum, reciprocal and product."""
    axis = getattr(step.operation, "axis", -1)
    r, d = pair.reference, pair.difference
    still = ops.stop_gradient(d)
    most = ops.maximum(
        ops.max(r, axis=axis, keepdims=True),
        ops.max(r + still, axis=axis, keepdims=True),
    )
    start, end = ops.exp(r - most), ops.exp(r + still - most)
    small = ops.clip(still, -1.0, 1.0)
    rise = ops.where(ops.abs(still) < 1, start * ops.expm1(small), end - start)
    grown = with_slope(
        rise, d, lambda: ops.where(still == 0, start, divided(rise, still))
    )
    more = ops.sum(grown, axis=axis, keepdims=True)
    before = ops.sum(start, axis=axis, keepdims=True)
    after = ops.stop_gradient(before + more)
    reciprocal = (1 / before + 1 / after) / 2
    middle = (start + end) / 2 / (before * after)
    difference = grown * reciprocal - more * ops.stop_gradient(middle)
    return Pair(start / before, difference)


def layer_norm(walk, step, pair):
    """Takes a layer norm as centring, squares, reciprocal root and product.

    d(c q) = dc [(q_r + q) / 2] + dq [(c_r + c) / 2], with c the centred input and
    q = 1 / sqrt(mean c^2 + epsilon), d(c^2) = dc [2 c_r + dc] and
    dq = -d(mean c^2) [q_r^2 q^2 / (q_r + q)].
    """
    layer = step.operation
    return _scaled(layer, _normed(pair, layer.axis, layer.epsilon, layer.rms_scaling))


def rms_norm(walk, step, pair):
    """Takes a root-mean-square norm as a layer norm that does not centre."""
    layer = step.operation
    return _scaled(layer, _normed(pair, layer.axis, layer.epsilon, True, centre=False))


def group_norm(walk, step, pair):
    """Takes a group norm as a layer norm of every group of channels by itself."""
    layer = step.operation
    check_axis(layer, len(pair.reference.shape))
    channels = pair.reference.shape[-1]
    groups = channels if layer.groups == -1 else layer.groups

    def parted(x):
        return ops.reshape(x, (*ops.shape(x)[:-1], groups, channels // groups))

    parts = Pair(parted(pair.reference), parted(pair.difference))
    axes = (*range(1, len(pair.reference.shape) - 1), -1)
    found = _normed(parts, axes, layer.epsilon)
    whole = Pair(
        ops.reshape(found.reference, ops.shape(pair.reference)),
        ops.reshape(found.difference, ops.shape(pair.difference)),
    )
    return _scaled(layer, whole, axis=-1)


def _normed(pair, axes, epsilon, bare=False, *, centre=True):
    """Divides by the standard deviation over axes, see `layer_norm`.

    Args:
        pair: Of a reference and a difference.
        axes: Over which to centre and to measure.
        epsilon: What is added to the variance.
        bare: Whether what is divided is not centred.
        centre: Whether what is squared is.
    """

    def mean(x):
        return ops.mean(x, axis=axes, keepdims=True)

    c, dc = pair.reference, pair.difference
    if centre:
        c, dc = c - mean(c), dc - mean(dc)
    still = ops.stop_gradient(dc)
    spread = mean(dc * (2 * c + still))
    variance = mean(ops.square(c)) + epsilon
    q = ops.rsqrt(variance)
    q_end = ops.rsqrt(ops.maximum(variance + ops.stop_gradient(spread), epsilon))
    dq = -spread * ops.square(q * q_end) / (q + q_end)
    x, dx = (pair.reference, pair.difference) if bare else (c, dc)
    middle = x + ops.stop_gradient(dx) / 2
    return Pair(x * q, dx * ((q + q_end) / 2) + dq * middle)


def _scaled(layer, pair, axis=None):
    """Applies a norm's own scale and shift."""
    reference, difference = pair.reference, pair.difference
    shape = _shape_of(layer.axis if axis is None else axis, reference)
    scale, shift = weights_of_norm(layer)
    if scale is not None:
        scale = ops.reshape(scale, shape)
        reference, difference = reference * scale, difference * scale
    if shift is not None:
        reference = reference + ops.reshape(shift, shape)
    return Pair(reference, difference)


def normaliser(walk, step, pair):
    """Scales a difference as Normalization or Rescaling scales a pixel."""
    start = walk.plain(step, (ops.zeros_like(pair.reference),), {})
    return Pair(
        walk.plain(step, (pair.reference,), {}),
        walk.plain(step, (pair.difference,), {}) - start,
    )


def _apart(args):
    """Splits arguments into references and differences; constants differ by zero."""
    moving = [p.difference for p in pairs_of(args) if p.difference is not None]
    batch = ops.shape(moving[0])[0]

    def difference(leaf):
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


def _shape_of(axes, x):
    """Returns the shape in which a norm's weights lie along its axes."""
    axes = [axes] if isinstance(axes, int) else list(axes)
    axes = [axis % len(x.shape) for axis in axes]
    return [x.shape[axis] if axis in axes else 1 for axis in range(len(x.shape))]


DEEP_LIFT_RULES = (
    dict.fromkeys(PLACES, place)
    | dict.fromkeys(("Add", "Average", "Concatenate", "Stack", "Subtract"), together)
    | dict.fromkeys(BENDS, bend)
    | dict.fromkeys(of.PRODUCTS, product)
    | dict.fromkeys(of.QUOTIENTS, quotient)
    | dict.fromkeys(of.NORMALISERS, normaliser)
    | dict.fromkeys(
        ("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "Max"),
        maximum_over,
    )
    | dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "MaxPooling3D"), max_pool)
    | {
        "GroupNormalization": group_norm,
        "LayerNormalization": layer_norm,
        "Maximum": maximum,
        "RMSNormalization": rms_norm,
        "Softmax": softmax,
    }
)
