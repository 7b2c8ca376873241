"""Computes one step in the working precision, whatever the layer's own."""

from collections.abc import Callable, Container
from typing import Any

import keras
from keras import ops

from medattn.explain.graph.linear_layers import read_variable
from medattn.explain.graph.norms import normalise
from medattn.explain.graph.operations import NORMALISERS, NORMS
from medattn.explain.graph.steps import ACTIVATION, Step, is_floating, known_name
from medattn.explain.precision import DOUBLE, SINGLE, working_precision
from medattn.layers.tensor import Tensor

SINGLE_ONLY = ("AveragePooling3D", "MaxPooling3D")  # of TensorFlow on a CPU


def compute_step(step: Step, args: Any, kwargs: Any) -> Any:
    """Computes what a step makes of its arguments.

    `layer.call` instead of `layer(...)` casts nothing; the few that cast in `call`
    itself are written out.
    """
    operation = step.operation
    if step.part == ACTIVATION:
        return operation.activation(*args)
    args, kwargs = keras.tree.map_structure(_read, (args, kwargs))
    name, precision = known_name(operation), working_precision()
    if name == "Cast" and "float" in str(operation.dtype):
        return args[0] if is_floating(args[0]) else ops.cast(args[0], precision)
    if name in NORMALISERS and operation.compute_dtype != precision:
        x = ops.cast(args[0], precision)
        if name == "Rescaling":
            return x * operation.scale + operation.offset
        mean = read_variable(operation.mean)
        width = ops.sqrt(read_variable(operation.variance))
        width = ops.maximum(width, keras.config.epsilon())
        return x * width + mean if operation.invert else (x - mean) / width
    if name == "PReLU":
        slope = read_variable(operation.alpha)
        return ops.relu(args[0]) - slope * ops.relu(-args[0])
    if precision == DOUBLE and _is_single(operation, name):
        args, kwargs = _cast((args, kwargs), SINGLE)
        return _cast(operation.call(*args, **kwargs), DOUBLE)
    if name in NORMS and operation.compute_dtype != precision:
        return normalise(operation, args[0])
    return operation.call(*args, **kwargs)


def _is_single(operation: Any, name: str) -> bool:
    """Whether a step cannot be computed in double precision as it is."""
    if name in SINGLE_ONLY:
        return True
    known = not isinstance(operation, keras.Layer) or name in NORMS
    return not known and bool(operation.variables)


def _cast(values: Any, precision: str) -> Any:
    """Casts the floating-point tensors of a nest."""

    def one(value: Any) -> Any:
        floating = hasattr(value, "dtype") and is_floating(value)
        return ops.cast(value, precision) if floating else value

    return keras.tree.map_structure(one, values)


def function_of(
    step: Step, args: Any, kwargs: Any, depends: Container[int]
) -> tuple[Any, Callable[[Tensor], Tensor]]:
    """Takes a step of one moving argument as a function of that.

    Args:
        step: The step.
        args: Its arguments' values.
        kwargs: Those by name.
        depends: Ids of the tensors that depend on the image.

    Returns:
        The argument's value, and the function.
    """
    names = keras.tree.flatten((step.args, step.kwargs))
    leaves = keras.tree.flatten((args, kwargs))
    at = next(n for n, name in enumerate(names) if id(name) in depends)

    def function(x: Tensor) -> Tensor:
        changed = [x if n == at else leaf for n, leaf in enumerate(leaves)]
        packed = keras.tree.pack_sequence_as((args, kwargs), changed)
        return compute_step(step, *packed)

    return leaves[at], function


def _read(leaf: Any) -> Any:
    """Reads a variable among a step's arguments."""
    if not isinstance(leaf, keras.Variable):
        return leaf
    return read_variable(leaf) if is_floating(leaf) else ops.convert_to_tensor(leaf)
