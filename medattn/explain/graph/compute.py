"""Computes one step in the working precision, whatever the layer's own."""

from typing import Any

import keras
from keras import ops

from medattn.explain.graph.linear_layers import read_variable
from medattn.explain.graph.norms import normalise
from medattn.explain.graph.operations import NORMALISERS, NORMS
from medattn.explain.graph.steps import ACTIVATION, Step, from_keras
from medattn.explain.precision import working_precision


def compute_step(step: Step, args: Any, kwargs: Any) -> Any:
    """Computes what a step makes of its arguments.

    `layer.call` instead of `layer(...)` casts nothing; the few that cast in `call`
    itself are written out.
    """
    operation = step.operation
    if step.part == ACTIVATION:
        return operation.activation(*args)
    name, precision = type(operation).__name__, working_precision()
    if name == "Cast" and from_keras(operation) and "float" in str(operation.dtype):
        return args[0]
    if name in NORMALISERS and operation.compute_dtype != precision:
        x = ops.cast(args[0], precision)
        if name == "Rescaling":
            return x * operation.scale + operation.offset
        mean = read_variable(operation.mean)
        width = ops.sqrt(read_variable(operation.variance))
        width = ops.maximum(width, keras.config.epsilon())
        return x * width + mean if operation.invert else (x - mean) / width
    if name in NORMS and from_keras(operation) and operation.compute_dtype != precision:
        return normalise(operation, args[0])
    return operation.call(*args, **kwargs)
