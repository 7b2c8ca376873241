"""The cost of a network: parameters, multiply-adds, activations, latency."""

import math
import statistics
import time
from typing import Any

import keras
import numpy as np

from medattn.layers import AttentionLayer
from medattn.layers.keras_private import Call, call_that_made

PARTS = ("trunk", "attention", "head")


def complexity(
    model: keras.Model, *, rounds: int = 0, batch_size: int = 1
) -> dict[str, Any]:
    """Counts the cost of a classifier, part by part.

    Each product of a convolution, a dense layer or a matrix product counts as one
    multiply-add; norms, activations and pooling are not counted, as is usual.

    Args:
        model: A functional `keras.Model` with a fixed input shape.
        rounds: Forward passes to time; 0 measures no latency.
        batch_size: Images per timed pass.

    Returns:
        A dict: `parameters`, trainable, and `multiply_adds` per image, each a dict of
        `trunk`, `attention`, `head` and `total`; `activation_bytes`, float32, of all
        layers' outputs for one image, which training stores; and `latency`, the median
        seconds of a forward pass, or None.

    Raises:
        ValueError: If the model is subclassed, or the size of its input is unknown.
    """
    shape: Any = getattr(model, "input_shape", None)
    if not getattr(model, "outputs", None) or None in shape[1:]:
        raise ValueError(
            "The cost needs a network of known size. Expected a functional "
            f"model with a fixed input shape. Received: {type(model).__name__}, {shape}"
        )
    parameters, products = dict.fromkeys(PARTS, 0), dict.fromkeys(PARTS, 0)
    activations = 0
    head = model.layers[-1]
    for call in _calls(model.outputs, model.inputs):
        part = _part(call.operation, head)
        products[part] += sum(multiply_adds(inner) for inner in _inside(call))
        activations += 4 * sum(math.prod(out.shape[1:]) for out in call.outputs)
    for layer in model.layers:
        parameters[_part(layer, head)] += sum(
            math.prod(weight.shape) for weight in layer.trainable_weights
        )
    return {
        "parameters": {**parameters, "total": sum(parameters.values())},
        "multiply_adds": {**products, "total": sum(products.values())},
        "activation_bytes": activations,
        "latency": _latency(model, rounds, batch_size) if rounds else None,
    }


def multiply_adds(call: Call) -> int:
    """Counts the multiply-adds of one call in a graph, for one image."""
    operation, output = call.operation, call.outputs[0]
    if isinstance(operation, keras.layers.Dense):
        return math.prod(output.shape[1:]) * call.input_tensors[0].shape[-1]
    kernel = getattr(operation, "kernel", None)
    if kernel is not None and "Conv" in type(operation).__name__:
        places = math.prod(output.shape[1:-1])
        return places * math.prod(kernel.shape)
    if type(operation).__name__ == "Matmul":
        return math.prod(output.shape[1:]) * call.input_tensors[0].shape[-1]
    return 0


def _part(layer: keras.Operation, head: keras.layers.Layer) -> str:
    if layer is head:
        return "head"
    return "attention" if isinstance(layer, AttentionLayer) else "trunk"


def _calls(
    outputs: list[keras.KerasTensor], inputs: list[keras.KerasTensor]
) -> list[Call]:
    """Lists the calls from inputs to outputs, each once."""
    found: dict[int, Call] = {}
    stack, stop = list(outputs), {id(tensor) for tensor in inputs}
    while stack:
        tensor = stack.pop()
        if id(tensor) in stop:
            continue
        call = call_that_made(tensor)
        if id(call.outputs[0]) not in found:
            found[id(call.outputs[0])] = call
            stack.extend(call.input_tensors)
    return list(found.values())


def _inside(call: Call) -> list[Call]:
    """Lists the calls within an attention layer, or the call itself."""
    if not isinstance(call.operation, AttentionLayer):
        return [call]
    inputs = [keras.Input(tensor.shape[1:]) for tensor in call.input_tensors]
    outputs = call.operation.call(inputs if len(inputs) > 1 else inputs[0])
    return _calls(keras.tree.flatten(outputs), inputs)


def _latency(model: keras.Model, rounds: int, batch_size: int) -> float:
    images = np.zeros((batch_size, *model.input_shape[1:]), np.float32)
    model.predict_on_batch(images)  # compiles
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        model.predict_on_batch(images)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
