"""Every private name of Keras that medattn reads, each behind one small function.

`models` and `explain` both read a functional model's graph, and `layers` is the room
that both may import. Written for Keras 3.15.1; `tests/layers/test_keras_private.py`
holds Keras to each name, and says which function to mend when one has changed.
"""

from typing import Any, NamedTuple

import keras


class Call(NamedTuple):
    """One call of a layer or operation in a functional model.

    Attributes:
        operation: The layer or operation.
        args: Its arguments, symbolic tensors among them.
        kwargs: Those by name.
        input_tensors: All symbolic tensors that it read.
        outputs: The symbolic tensors that it made.
    """

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    input_tensors: list[Any]
    outputs: list[Any]


def call_that_made(tensor: keras.KerasTensor) -> Call:
    """Returns the call whose output a symbolic tensor is."""
    operation, index, _ = tensor._keras_history
    node = operation._inbound_nodes[index]
    args, kwargs = node.arguments.args, node.arguments.kwargs
    return Call(operation, args, kwargs, node.input_tensors, node.outputs)


def count_calls(operation: keras.Operation) -> int:
    """Counts the calls with symbolic tensors that a layer or operation remembers."""
    return len(operation._inbound_nodes)


def forget_calls(operation: keras.Operation, count: int) -> None:
    """Lets a layer or operation forget all calls but the first `count`."""
    del operation._inbound_nodes[count:]


def all_layers(layer: keras.Layer, *, include_self: bool = True) -> list[keras.Layer]:
    """Lists the layers inside a layer or model, at every depth."""
    return list(layer._flatten_layers(include_self=include_self))


def pack_inputs(model: keras.Model, tensors: list[Any]) -> Any:
    """Arranges one tensor for each input as a functional model wants to be called."""
    return keras.tree.pack_sequence_as(model._inputs_struct, tensors)
