"""Layers and operations written out in operations that have rules.

For those of Keras whose own code speaks to a backend and cannot be followed, or whose
operation does in one piece what the rules know in several. Each opener takes the layer
(its shadow, see `shadow.py`) or operation and the arguments of its call, and returns
the same value.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from medattn.explain.graph.steps import known_name
from medattn.layers.tensor import Tensor

# Layers that have a rule, but not for a mask.
OPENED_WITH_MASK = ("GlobalAveragePooling1D", "Softmax")
MASKED = -1e9  # the score of what must not be attended to


def dot_product_attention(
    operation: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    scale: Any = None,
) -> Tensor:
    """Attention of several heads, `softmax(q k^T scale + bias) v`.

    Args:
        operation: The operation.
        query: `(batch, targets, heads, size)`.
        key: `(batch, sources, heads, size)`.
        value: As `key`.
        bias: Added to the scores, `(batch, heads, targets, sources)`.
        mask: Where attention is allowed, of the same shape.
        scale: None is one over the root of the size.
    """
    repeated = query.shape[2] // key.shape[2]  # grouped queries share keys
    if repeated > 1:
        key, value = (ops.repeat(each, repeated, axis=2) for each in (key, value))
    if scale is None:
        scale = 1 / np.sqrt(query.shape[-1])
    scores = ops.einsum("btnh,bsnh->bnts", query, key) * float(scale)
    cap = getattr(operation, "attn_logits_soft_cap", None)
    if cap is not None:
        scores = ops.tanh(scores / cap) * cap
    if bias is not None:
        scores = scores + bias
    if operation.is_causal:
        targets, sources = query.shape[1], key.shape[1]
        allowed = np.tril(np.ones((targets, sources), bool))
        scores = scores + np.where(allowed, 0.0, MASKED).astype(np.float32)
    if mask is not None:
        scores = scores + (1 - ops.cast(mask, "float32")) * MASKED
    return ops.einsum("bnts,bsnh->btnh", ops.softmax(scores, axis=-1), value)


def time_distributed(layer: Any, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
    """Applies a layer to every time step, all of them as one larger batch."""
    if mask is not None:
        raise NotImplementedError("a mask of a TimeDistributed layer")
    steps, shape = inputs.shape[1], inputs.shape[2:]
    y = layer.layer(ops.reshape(inputs, (-1, *shape)))
    return ops.reshape(y, (-1, steps, *y.shape[1:]))


def recurrent(
    layer: Any,
    sequences: Tensor,
    initial_state: Any = None,
    mask: Tensor | None = None,
) -> Any:
    """Applies a recurrent cell to one time step after another.

    Args:
        layer: An LSTM, GRU, SimpleRNN or RNN.
        sequences: `(batch, steps, ...)`.
        initial_state: None is zero.
        mask: `(batch, steps)`; where it is false the state stays as it was.
    """
    if layer.stateful:
        raise NotImplementedError("a stateful recurrent layer")
    states = initial_state
    if states is None:
        states = layer.get_initial_state(batch_size=1)
        # ops.conv looks for symbolic tensors in its input only, so this must be one.
        kernel = getattr(layer.cell, "kernel", None)
        if kernel is not None:
            states = [ops.add(each, 0 * ops.sum(kernel)) for each in states]
    states = list(states) if isinstance(states, list | tuple) else [states]
    outputs: list[Tensor] = []
    order = list(range(sequences.shape[1]))
    previous: Tensor = None
    for step in reversed(order) if layer.go_backwards else order:
        output, after = layer.cell.call(sequences[:, step], states)
        after = list(after) if isinstance(after, list | tuple) else [after]
        if mask is not None:
            keep = ops.cast(mask[:, step], "float32")
            keep = ops.reshape(keep, (-1, *[1] * (len(output.shape) - 1)))
            kept = 0.0 if previous is None or layer.zero_output_for_mask else previous
            output = output * keep + kept * (1 - keep)
            after = [
                a * keep + b * (1 - keep) for a, b in zip(after, states, strict=True)
            ]
        states, previous = after, output
        outputs.append(output)
    result = outputs[-1]
    if layer.return_sequences:
        result = ops.stack(outputs, axis=1)
    return (result, *states) if layer.return_state else result


def separable_convolution(
    operation: Any, inputs: Tensor, depthwise_kernel: Any, pointwise_kernel: Any
) -> Tensor:
    """A convolution of each channel by itself, then one over the channels."""
    deep = ops.depthwise_conv(
        inputs,
        depthwise_kernel,
        operation.strides,
        operation.padding,
        operation.data_format,
        operation.dilation_rate,
    )
    return ops.conv(deep, pointwise_kernel, 1, "valid", operation.data_format)


def gated_linear_unit(operation: Any, x: Tensor) -> Tensor:
    """One half of the channels, weighed by the sigmoid of the other."""
    signal, gate = ops.split(x, 2, axis=operation.axis)
    return signal * ops.sigmoid(gate)


def variance(operation: Any, x: Tensor) -> Tensor:
    """The mean square of what differs from the mean."""
    axis, keepdims = operation.axis, operation.keepdims
    if axis is None:
        raise NotImplementedError("a variance over the samples of a batch")
    centred = x - ops.mean(x, axis=axis, keepdims=True)
    return ops.mean(ops.square(centred), axis=axis, keepdims=keepdims)


def deviation(operation: Any, x: Tensor) -> Tensor:
    """The root of the variance."""
    return ops.sqrt(variance(operation, x))


def unit_norm(layer: Any, inputs: Tensor) -> Tensor:
    """Divides by the root of the sum of squares."""
    axes: Sequence[int] = layer.axis if isinstance(layer.axis, list) else [layer.axis]
    total = ops.sum(ops.square(inputs), axis=tuple(axes), keepdims=True)
    return inputs / ops.sqrt(ops.maximum(total, 1e-12))


def masked_softmax(layer: Any, inputs: Tensor, mask: Tensor) -> Tensor:
    """A softmax over what a mask allows; zero where it allows nothing."""
    if keras.backend.standardize_dtype(mask.dtype) != "bool":
        mask = ops.greater(mask, 0.5)
    scores = ops.where(mask, inputs, MASKED)
    axis = layer.axis
    if isinstance(axis, (list, tuple)) and len(axis) == 1:
        axis = axis[0]
    if isinstance(axis, (list, tuple)):
        weights = ops.exp(scores - ops.logsumexp(scores, axis=axis, keepdims=True))
    else:
        weights = ops.softmax(scores, axis=axis)
    return ops.where(mask, weights, 0.0)


def opener_of(operation: Any, kwargs: dict[str, Any]) -> "Opener | None":
    """Returns the opener for a call of a layer or operation, or None."""
    name = known_name(operation)
    if name == "Softmax" and isinstance(operation, keras.Layer) and "mask" in kwargs:
        return masked_softmax
    return OPENERS.get(name)


Opener = Callable[..., Any]
OPENERS: dict[str, Opener] = {
    "ConvLSTM1D": recurrent,
    "ConvLSTM2D": recurrent,
    "ConvLSTM3D": recurrent,
    "DotProductAttention": dot_product_attention,
    "Glu": gated_linear_unit,
    "GRU": recurrent,
    "LSTM": recurrent,
    "RNN": recurrent,
    "SeparableConv": separable_convolution,
    "SimpleRNN": recurrent,
    "Std": deviation,
    "TimeDistributed": time_distributed,
    "UnitNormalization": unit_norm,
    "Var": variance,
}
