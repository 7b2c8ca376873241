"""Layer, group and root-mean-square norms in parts: groups, deviation, weights."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from medattn.explain.graph.linear_layers import check_axis, read_variable
from medattn.layers.tensor import Tensor

Axes = int | Sequence[int]


def standardised(
    x: Tensor,
    axes: Axes,
    epsilon: float,
    detach: Callable[[Tensor], Tensor],
    *,
    centre: bool = True,
    divide_centred: bool = True,
) -> Tensor:
    """Divides by the standard deviation over axes.

    y = (x - mean x) detach(1 / sqrt(mean (x - mean x)^2 + epsilon))

    Args:
        x: `(batch, ...)`.
        axes: Over which to centre and to measure.
        epsilon: What is added to the variance.
        detach: What is done with the reciprocal, such as `keras.ops.stop_gradient`.
        centre: Whether what is squared is centred.
        divide_centred: Whether what is divided is centred.
    """
    centred = x - ops.mean(x, axis=axes, keepdims=True) if centre else x
    variance = ops.mean(ops.square(centred), axis=axes, keepdims=True)
    divided = centred if divide_centred else x
    return divided * detach(ops.rsqrt(variance + epsilon))


def in_groups(layer: keras.Layer, x: Tensor) -> tuple[Tensor, Axes]:
    """Splits the channels into a group norm's groups.

    Returns:
        x as `(..., groups, channels of a group)`, and the axes over which the norm
        measures it.
    """
    check_axis(layer, len(x.shape))
    channels = x.shape[-1]
    groups = channels if layer.groups == -1 else layer.groups
    parts = ops.reshape(x, (*ops.shape(x)[:-1], groups, channels // groups))
    return parts, (*range(1, len(x.shape) - 1), -1)


def weights_of_norm(layer: keras.Layer) -> tuple[Tensor | None, Tensor | None]:
    """Reads a norm's scale and shift, either of which may be None."""
    scale = getattr(layer, "gamma", None)
    if type(layer).__name__ == "RMSNormalization":
        scale = layer.scale  # its name for it
    shift = getattr(layer, "beta", None)
    return (
        None if scale is None else read_variable(scale),
        None if shift is None else read_variable(shift),
    )


def shape_of_weights(axes: Axes, x: Tensor) -> list[Any]:
    """Returns the shape in which a norm's weights lie along its axes."""
    listed = [axes] if isinstance(axes, int) else list(axes)
    listed = [axis % len(x.shape) for axis in listed]
    return [x.shape[axis] if axis in listed else 1 for axis in range(len(x.shape))]


def normalise(layer: keras.Layer, x: Tensor) -> Tensor:
    """Computes a complete norm in the precision of x, whatever the layer's own.

    The deviation is a constant to the derivative, as in LRP's rule.
    """
    name, detach, axes = type(layer).__name__, ops.stop_gradient, layer.axis
    if name == "GroupNormalization":
        parts, group_axes = in_groups(layer, x)
        y = standardised(parts, group_axes, layer.epsilon, detach)
        y, axes = ops.reshape(y, ops.shape(x)), -1
    elif name == "RMSNormalization":
        y = standardised(x, axes, layer.epsilon, detach, centre=False)
    else:
        bare = layer.rms_scaling  # Keras scales then, and centres nothing
        y = standardised(x, axes, layer.epsilon, detach, divide_centred=not bare)
    shape = shape_of_weights(axes, y)
    scale, shift = weights_of_norm(layer)
    if scale is not None:
        y = y * ops.reshape(scale, shape)
    if shift is not None:
        y = y + (ops.reshape(shift, shape) + ops.zeros_like(y))
    return y
