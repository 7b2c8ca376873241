"""From a Keras model to a flat list of steps: every layer opened that has no rule."""

from collections.abc import Callable
from typing import Any

import keras

from medattn.explain.graph.operations import INFERENCE_IDENTITIES
from medattn.explain.graph.steps import (
    ACTIVATION,
    COMPLETE,
    LINEAR,
    Graph,
    Step,
    from_keras,
    is_symbolic,
    tensors,
)
from medattn.layers.keras_private import (
    Call,
    all_layers,
    call_that_made,
    count_calls,
    forget_calls,
)


def open_model(model: keras.Model, closed: Callable[[keras.Layer], bool]) -> Graph:
    """Lists the steps of a model, in an order in which they can be computed.

    A nested model is opened; a composite layer (a gate, say) is called through
    `layer.call`, which leaves its own layers and operations in the list in its
    position; this repeats until every layer left may stay closed. A layer with a kernel
    and an activation becomes two steps. Layers and weights are used, not copied.

    Args:
        model: A functional or Sequential `keras.Model`.
        closed: A function from a layer to whether it may stay closed.

    Returns:
        A `Graph` of input tensors, `Step`s and output tensors; the tensors are
        symbolic and serve as names.

    Raises:
        ValueError: If the model is subclassed, so that its layers cannot be seen.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
        raise ValueError(
            "Only a model whose graph is known can be rewritten: a subclassed model "
            "does not show its layers. Expected a functional or Sequential "
            "keras.Model (build one with keras.Model(inputs, outputs)). "
            f"Received: {type(model).__name__}"
        )
    trace = _Trace(closed)
    inputs = [_fresh(tensor) for tensor in model.inputs]
    known = {
        id(tensor): name for tensor, name in zip(model.inputs, inputs, strict=True)
    }
    try:
        trace.follow(model.outputs, known)
    finally:
        trace.forget_own_calls()
    outputs = [known[id(tensor)] for tensor in model.outputs]
    return Graph(inputs, trace.steps, outputs)


class _Trace:
    """Collects steps while it follows tensors back to the inputs."""

    def __init__(self, closed: Callable[[keras.Layer], bool]):
        self.closed = closed
        self.steps: list[Step] = []
        self.opened: list[tuple[Any, int]] = []  # (layer, calls that it knew of)

    def follow(self, outputs: list[Any], known: dict[int, Any]) -> None:
        """Lists the steps to `outputs`; `known` maps tensors to their names.

        keras.models.clone_model would find them too, but refuses two layers of one
        name, and every gate has its "reduce" and "expand". Hence the search along the
        history of each symbolic tensor. A stack, since networks are deep.
        """
        stack = list(outputs)
        while stack:
            tensor = stack[-1]
            if id(tensor) in known:
                stack.pop()
                continue
            call = call_that_made(tensor)
            missing = [t for t in call.input_tensors if id(t) not in known]
            if missing:
                stack.extend(missing)
                continue
            names = self.add(call, known)
            for outer, name in zip(call.outputs, names, strict=True):
                known[id(outer)] = name

    def add(self, call: Call, known: dict[int, Any]) -> Any:
        """Adds the steps of one call, and returns the names of its outputs."""
        operation = call.operation
        args = _named(call.args, known)
        kwargs = {
            key: value
            for key, value in _named(call.kwargs, known).items()
            if value is not None and key not in ("training", "mask")
        }
        kind = type(operation).__name__ if from_keras(operation) else None
        if kind in INFERENCE_IDENTITIES or kind and kind.startswith("Random"):
            return tensors((args, kwargs))[:1]
        if getattr(operation, "inputs", None) and isinstance(operation, keras.Model):
            inner = dict(
                zip(map(id, operation.inputs), tensors((args, kwargs)), strict=True)
            )
            self.follow(operation.outputs, inner)
            return [inner[id(tensor)] for tensor in operation.outputs]
        if isinstance(operation, keras.Layer) and not self.closed(operation):
            for layer in all_layers(operation):
                self.opened.append((layer, count_calls(layer)))
            inside = keras.tree.flatten(operation.call(*args, **kwargs))
            inner = {id(name): name for name in tensors((args, kwargs))}
            self.follow(inside, inner)
            return [inner[id(tensor)] for tensor in inside]
        names = tuple(_fresh(output) for output in call.outputs)
        activation = getattr(operation, "activation", None)
        linear = activation in (None, keras.activations.linear)
        if linear or not hasattr(operation, "kernel"):
            self.steps.append(Step(operation, args, kwargs, names, COMPLETE))
            return names
        between = (_fresh(call.outputs[0]),)
        self.steps.append(Step(operation, args, kwargs, between, LINEAR))
        self.steps.append(Step(operation, between, {}, names, ACTIVATION))
        return names

    def forget_own_calls(self) -> None:
        """Lets the user's layers forget the calls that opening them made."""
        for layer, count in reversed(self.opened):
            forget_calls(layer, count)


def _named(arguments: Any, known: dict[int, Any]) -> Any:
    """Replaces each symbolic tensor by its name."""
    return keras.tree.map_structure(
        lambda leaf: known[id(leaf)] if is_symbolic(leaf) else leaf, arguments
    )


def _fresh(tensor: keras.KerasTensor) -> keras.KerasTensor:
    """Makes a new symbolic tensor like another: one call, one name."""
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)
