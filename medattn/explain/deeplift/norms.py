"""DeepLIFT's rules for layer, group and root-mean-square norms."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from medattn.explain.deeplift.pairs import Pair
from medattn.explain.graph.norms import in_groups, shape_of_weights, weights_of_norm
from medattn.explain.graph.steps import Step
from medattn.layers.tensor import Tensor


def layer_norm(propagator: Any, step: Step, pair: Pair) -> Pair:
    """Treats a layer norm as centring, squares, reciprocal root and product.

    d(c q) = dc [(q_r + q) / 2] + dq [(c_r + c) / 2], with c the centred input and
    q = 1 / sqrt(mean c^2 + epsilon), d(c^2) = dc [2 c_r + dc] and
    dq = -d(mean c^2) [q_r^2 q^2 / (q_r + q)].
    """
    layer = step.operation
    bare = layer.rms_scaling  # Keras scales then, and centres nothing
    y = _standardised(pair, layer.axis, layer.epsilon, divide_centred=not bare)
    return _scaled(step, y, layer.axis)


def rms_norm(propagator: Any, step: Step, pair: Pair) -> Pair:
    """Treats a root-mean-square norm as a layer norm that does not centre."""
    layer = step.operation
    y = _standardised(pair, layer.axis, layer.epsilon, centre=False)
    return _scaled(step, y, layer.axis)


def group_norm(propagator: Any, step: Step, pair: Pair) -> Pair:
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
