"""DeepLIFT's rules for maxima: the entry that made the largest gets the difference."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from keras import ops

from medattn.explain.backend import with_slope
from medattn.explain.deeplift.pairs import Pair, pairs_of
from medattn.explain.graph.steps import Step, name_of
from medattn.layers.tensor import Tensor


def winner(candidates: Iterable[Pair]) -> Pair:
    """Gives a maximum's difference to the entry that made it.

    The larger of the two maxima names it: if the image's is larger, its winner rose by
    at least as much; if the reference's is, its winner fell by at least as much. So
    the multiplier is in [0, 1].

    Args:
        candidates: Pairs, one after another, of the same shape.

    Returns:
        The pair of the maximum.
    """
    top_r: Tensor = None
    top_x: Tensor = None
    at_r: Tensor = None
    at_x: Tensor = None
    same: Tensor = None  # whether one entry is the largest of both
    for pair in candidates:
        r, d = pair.reference, pair.difference
        d = ops.zeros_like(r) if d is None else d
        x = ops.stop_gradient(r + d)
        if top_x is None:
            top_r, top_x, at_r, at_x = r, x, d, d
            same = ops.ones_like(x)
            continue
        wins_r, wins_x = r > top_r, x > top_x
        both = ops.cast(ops.logical_and(wins_r, wins_x), x.dtype)
        neither = ops.cast(ops.logical_not(ops.logical_or(wins_r, wins_x)), x.dtype)
        same = both + neither * same
        top_r, top_x = ops.maximum(r, top_r), ops.maximum(x, top_x)
        at_r, at_x = ops.where(wins_r, d, at_r), ops.where(wins_x, d, at_x)
    return Pair(top_r, _moved(top_r, top_x, at_r, at_x, same > 0))


def _moved(
    top_r: Tensor, top_x: Tensor, at_r: Tensor, at_x: Tensor, same: Tensor
) -> Tensor:
    """Computes how far a maximum moved, as a multiple of its winner's difference.

    Args:
        top_r: The maximum of the reference.
        top_x: The maximum of the image.
        at_r: The difference of the entry that is largest in the reference.
        at_x: The difference of the entry that is largest in the image.
        same: Whether the two are one entry.
    """
    risen = top_x > top_r
    carrier = ops.where(risen, at_x, at_r)
    y = ops.where(same, ops.stop_gradient(at_x), top_x - top_r)
    return with_slope(
        y, carrier, lambda: ops.divide_no_nan(y, ops.stop_gradient(carrier))
    )


def max_pool(propagator: Any, step: Step, pair: Pair) -> Pair:
    """Slides a maximum over the image, one position in the window after another."""
    layer = step.operation
    size, strides = layer.pool_size, layer.strides
    rank = len(size)
    if layer.data_format != "channels_last":
        raise ValueError(
            f"The pooling {layer.name!r} is not channels last. Expected "
            f"data_format='channels_last'. Received: {layer.data_format!r}"
        )
    spatial = pair.reference.shape[1 : 1 + rank]
    if layer.padding == "same":
        counts = [-(-n // s) for n, s in zip(spatial, strides, strict=True)]
        missing = [
            max((count - 1) * s + k - n, 0)
            for count, s, k, n in zip(counts, strides, size, spatial, strict=True)
        ]
        margins = [(m // 2, m - m // 2) for m in missing]
    else:
        counts = [
            (n - k) // s + 1 for n, s, k in zip(spatial, strides, size, strict=True)
        ]
        margins = [(0, 0)] * rank
    margins = [(0, 0), *margins, (0, 0)]
    lowest = -3e38
    r = ops.pad(pair.reference, margins, constant_values=lowest)
    d = ops.pad(pair.difference, margins)
    candidates = []
    for corner in itertools.product(*map(range, size)):
        window = [slice(None)] + [
            slice(at, at + (count - 1) * s + 1, s)
            for at, s, count in zip(corner, strides, counts, strict=True)
        ]
        candidates.append(Pair(r[tuple(window)], d[tuple(window)]))
    return winner(candidates)


def maximum_over(
    propagator: Any, step: Step, pair: Pair, *args: Any, **kwargs: Any
) -> Pair:
    """Takes a maximum over axes, as in a gate's pooling."""
    operation = step.operation
    rank = len(pair.reference.shape)
    if name_of(step).startswith("Global"):
        axes = list(range(1, rank - 1))
    else:
        axis = operation.axis
        axes = [each % rank for each in ([axis] if isinstance(axis, int) else axis)]
    kept = [axis for axis in range(rank) if axis not in axes]
    x = ops.stop_gradient(pair.value)

    sizes = pair.reference.shape
    flat: Callable[[Tensor], Tensor]
    if axes == [rank - 1]:
        flat = ops.convert_to_tensor  # nothing to flatten
    elif kept == [0, rank - 1] and None not in sizes[1:]:
        shape = (-1, math.prod(sizes[1:-1]), sizes[-1])

        def flat(tensor: Tensor) -> Tensor:
            return ops.transpose(ops.reshape(tensor, shape), (0, 2, 1))

    else:
        flat = partial(_flat, kept=kept, axes=axes)

    r, d, x = flat(pair.reference), flat(pair.difference), flat(x)
    top_r, top_x = ops.max(r, axis=-1), ops.max(x, axis=-1)
    at_r, at_x = ops.argmax(r, axis=-1), ops.argmax(x, axis=-1)
    at = ops.where(top_x > top_r, at_x, at_r)
    # A sum over a mask: taking along an axis makes a graph many times as large.
    mask = ops.cast(ops.expand_dims(at, -1) == ops.arange(ops.shape(x)[-1]), d.dtype)
    taken = ops.sum(d * mask, axis=-1)
    pooled = Pair(top_r, _moved(top_r, top_x, taken, taken, at_r == at_x))
    if getattr(operation, "keepdims", False):
        for axis in sorted(axes):
            pooled.reference = ops.expand_dims(pooled.reference, axis)
            pooled.difference = ops.expand_dims(pooled.difference, axis)
    return pooled


def _flat(tensor: Tensor, kept: Sequence[int], axes: Sequence[int]) -> Tensor:
    """Puts some axes last and makes one of them."""
    tensor = ops.transpose(tensor, (*kept, *axes))
    sizes = [ops.shape(tensor)[axis] for axis in range(len(kept))]
    return ops.reshape(tensor, (*sizes, -1))


def maximum(propagator: Any, step: Step, *args: Any) -> Pair:
    """Takes the larger of several tensors."""
    return winner([p if isinstance(p, Pair) else Pair(p, None) for p in pairs_of(args)])
