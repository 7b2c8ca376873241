"""Products with what does not depend on the image, as linear layers with a kernel.

Written by hand, `ops.matmul(x, w) + b` is a Dense layer, and `ops.conv(x, w)` a
convolution; so they get the same rules. What the kernel is made of does not count: a
variable, or anything computed from variables.
"""

import itertools
from typing import Any

import keras
import numpy as np
from keras import ops

from medattn.explain.graph.operations import SHAPE_READERS
from medattn.explain.graph.steps import (
    COMPLETE,
    Graph,
    Step,
    ids,
    is_symbolic,
    moving_inputs,
    name_of,
    sources,
)
from medattn.layers.tensor import Tensor

# Operations of two arguments, both of which may be the kernel; the others' is the
# second, and behind it stands None or a bias.
BILINEAR = ("Einsum", "Matmul")
KERNEL_SECOND = ("Conv", "ConvTranspose", "DepthwiseConv")


class LinearOperation:
    """A bilinear operation, one of whose arguments is a kernel.

    Args:
        operation: Keras's operation.
        moving: Which argument the input is, 0 or 1.
        has_bias: Whether a bias follows the kernel in the arguments of the step.
    """

    def __init__(self, operation: Any, moving: int, *, has_bias: bool = False):
        self.operation, self.moving = operation, moving
        self.name, self.use_bias = operation.name, has_bias
        self.kind = type(operation).__name__

    def apply(self, x: Tensor, kernel: Tensor) -> Tensor:
        """Computes the operation's sums with a kernel, without bias."""
        return self.operation.call(*((x, kernel) if self.moving == 0 else (kernel, x)))

    def call(self, x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
        """Computes what the operation computes, with its bias."""
        y = self.apply(x, kernel)
        return y if bias is None else ops.add(y, bias)


def with_linear_operations(graph: Graph) -> Graph:
    """Writes products with constants as linear layers, each with its bias."""
    moving = set(moving_inputs(graph))
    readers: dict[int, int] = {}
    read_by_all = [ids(graph.outputs), *(ids(sources(step)) for step in graph.steps)]
    for tensor in itertools.chain.from_iterable(read_by_all):
        readers[tensor] = readers.get(tensor, 0) + 1
    steps: list[Step] = []
    position: dict[int, int] = {}  # of linear operations without a bias, by output
    for step in graph.steps:
        read = ids((step.args, step.kwargs))
        if name_of(step) not in SHAPE_READERS and not moving.isdisjoint(read):
            moving.update(ids(step.outputs))
        linear = _as_linear(step, moving)
        fused = None if linear is not None else _bias_of(step, position, moving)
        if fused is not None and readers[fused[0]] == 1:
            index = position[fused[0]]
            before = steps.pop(index)
            position = {k: v - (v > index) for k, v in position.items() if v != index}
            operation = LinearOperation(
                before.operation.operation, before.operation.moving, has_bias=True
            )
            args = (*before.args, fused[1])
            linear = before._replace(
                operation=operation, args=args, outputs=step.outputs
            )
        elif linear is not None:
            position[id(step.outputs[0])] = len(steps)
        steps.append(step if linear is None else linear)
    return graph._replace(steps=steps)


def _as_linear(step: Step, moving: set[int]) -> Step | None:
    """Returns a step as a linear operation, or None."""
    name = name_of(step)
    if name not in (*BILINEAR, *KERNEL_SECOND) or step.kwargs or step.part != COMPLETE:
        return None
    if isinstance(step.operation, keras.Layer):
        return None
    leaves = keras.tree.flatten(step.args)
    if len(leaves) != 2:
        return None
    at = [n for n, leaf in enumerate(leaves) if id(leaf) in moving]
    if len(at) != 1 or name in KERNEL_SECOND and at != [0]:
        return None
    operation = LinearOperation(step.operation, at[0])
    return step._replace(operation=operation, args=(leaves[at[0]], leaves[1 - at[0]]))


def _bias_of(
    step: Step, position: dict[int, int], moving: set[int]
) -> tuple[int, Any] | None:
    """Returns the linear operation's output and the bias that a step adds to it."""
    if name_of(step) != "Add" or step.kwargs or len(step.args) != 2:
        return None
    for x, bias in (step.args, step.args[::-1]):
        if id(x) not in position or id(bias) in moving or not _has_shape(bias):
            continue
        shape = tuple(bias.shape)
        if shape and all(size == 1 for size in shape[:-1]):
            if shape[-1] == x.shape[-1] and len(shape) <= len(x.shape):
                return id(x), bias
    return None


def _has_shape(leaf: Any) -> bool:
    kinds = (keras.Variable, np.ndarray)
    return isinstance(leaf, kinds) or is_symbolic(leaf) or ops.is_tensor(leaf)
