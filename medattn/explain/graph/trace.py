"""From a Keras model to its graph: every layer opened that has no rule."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from medattn.explain.graph.linear_operations import with_linear_operations
from medattn.explain.graph.operations import SHAPE_READERS
from medattn.explain.graph.steps import (
    Graph,
    Step,
    ids,
    is_symbolic,
    moving_inputs,
    name_of,
    sources,
)
from medattn.explain.graph.tracer import Closed, Trace, is_functional
from medattn.layers.keras_private import call_that_made

Shapes = Sequence[Sequence[int | None]]
BATCHES = (2, 3)  # in whose steps whatever is made of the batch's size differs


def open_model(
    model: keras.Model,
    closed: Closed,
    *,
    inputs: Sequence[Any] | None = None,
    shapes: Shapes | None = None,
) -> Graph:
    """Lists the steps of a model, in an order in which they can be computed.

    A nested model is opened; so is a composite layer (a gate, say), whose own layers
    and operations are listed in its position; this repeats until every layer left may
    stay closed. A layer with a kernel and an activation becomes two steps. Layers and
    weights are used, not copied, and nothing is written to them.

    Args:
        model: A functional or Sequential `keras.Model`.
        closed: A function from a layer to whether it may stay closed.
        inputs: The model's symbolic tensors to begin with; None takes its inputs.
        shapes: The shape of each, as of the arrays that come, and of the model's inputs
            that are not among them; None takes the model's.

    Returns:
        A `Graph` of input tensors, `Step`s and output tensors; the tensors are
        symbolic and serve as names.

    Raises:
        ValueError: If the model is subclassed, so that its layers cannot be seen.
    """
    check_functional(model)
    inputs = list(model.inputs if inputs is None else inputs)
    if shapes is None:
        shapes = [tensor.shape for tensor in with_fixed(model, inputs)]
    graph, opened = _traced(model, closed, inputs, shapes, BATCHES[0])
    mixes = _mixes_batch(graph, BATCHES[0])
    if opened and not mixes:
        other, _ = _traced(model, closed, inputs, shapes, BATCHES[1])
        mixes = not _are_same(graph, other)
    if mixes:
        graph, _ = _traced(model, closed, inputs, shapes, 1)
        graph = graph._replace(per_sample=True)
    return with_linear_operations(graph)


def check_functional(model: Any) -> None:
    """Refuses what is no model of Keras 3 whose layers can be seen."""
    if is_functional(model):
        return
    kind = type(model)
    received = f"Received: {kind.__name__}"
    if kind.__module__.startswith(("tf_keras", "tensorflow")):
        raise ValueError(
            "This is a model of Keras 2. Expected a model of Keras 3: save it with "
            "model.save('model.h5') and load it with "
            f"keras.models.load_model('model.h5'). {received} of {kind.__module__}"
        )
    if not isinstance(model, keras.Model):
        raise ValueError(
            "This is no model of Keras 3. Expected a functional or Sequential "
            f"keras.Model. {received}"
        )
    if isinstance(model, keras.Sequential):
        raise ValueError(
            "The model does not know the shape of its input. Expected a Sequential "
            "model that begins with keras.Input(shape), or was called once. "
            f"{received}"
        )
    raise ValueError(
        "A subclassed model does not show its layers. Expected a functional or "
        "Sequential keras.Model; of a subclassed one, inputs = keras.Input(shape) and "
        f"keras.Model(inputs, model(inputs)) make one that shares its weights. "
        f"{received}"
    )


def _traced(
    model: keras.Model, closed: Closed, inputs: list[Any], shapes: Shapes, batch: int
) -> tuple[Graph, bool]:
    """Traces a model with a batch of one size; says whether code was followed."""
    trace = Trace(closed, batch)
    every = with_fixed(model, inputs)
    names = [
        trace.input_like(tensor, shape)
        for tensor, shape in zip(every, shapes, strict=True)
    ]
    known = dict(zip(map(id, every), names, strict=True))
    first = dict(zip(map(id, model.inputs), model.inputs, strict=True))
    outputs = trace.follow(model.outputs, known)
    made = _tensors_of(model, first)
    pairs = tuple((t, known[id(t)]) for t in made if id(t) in known)
    steps = _needed(trace.steps, outputs)
    fixed = tuple(names[len(inputs) :])
    graph = Graph(names, steps, outputs, fixed, known=pairs)
    return graph, trace.opened


def with_fixed(model: keras.Model, inputs: Sequence[Any]) -> list[Any]:
    """Adds to the tensors to begin with the model's inputs that are not among them."""
    known = {id(tensor) for tensor in inputs}
    return [*inputs, *(t for t in model.inputs if id(t) not in known)]


def _tensors_of(model: keras.Model, first: dict[int, Any]) -> list[Any]:
    """Lists a model's symbolic tensors, in the order in which they are computed."""
    found, order, stack = dict(first), list(first.values()), list(model.outputs)
    while stack:
        tensor = stack[-1]
        if id(tensor) in found:
            stack.pop()
            continue
        call = call_that_made(tensor)
        missing = [each for each in call.input_tensors if id(each) not in found]
        stack.extend(missing)
        if not missing:
            found |= {id(each): each for each in call.outputs}
            order += call.outputs
    return order


def _needed(steps: list[Step], outputs: list[Any]) -> list[Step]:
    """Drops the steps whose results nobody reads."""
    wanted, kept = set(ids(outputs)), []
    for step in reversed(steps):
        if not wanted.isdisjoint(ids(step.outputs)):
            kept.append(step)
            wanted.update(ids((step.args, step.kwargs)))
    return kept[::-1]


def _mixes_batch(graph: Graph, batch: int) -> bool:
    """Whether a step makes the batch one with another axis, as windows or times."""
    moving = set(moving_inputs(graph))
    for step in graph.steps:
        if name_of(step) in SHAPE_READERS or moving.isdisjoint(ids(sources(step))):
            continue
        moving.update(ids(step.outputs))
        if any(not x.shape or x.shape[0] not in (batch, None) for x in step.outputs):
            return True
    return False


def _are_same(one: Graph, other: Graph) -> bool:
    """Whether two traces differ in nothing but the size of their batch."""
    if len(one.steps) != len(other.steps):
        return False
    names = dict(zip(ids(one.inputs), ids(other.inputs), strict=True))
    for a, b in zip(one.steps, other.steps, strict=True):
        if type(a.operation) is not type(b.operation) or a.part != b.part:
            return False
        if len(a.outputs) != len(b.outputs):
            return False
        if not isinstance(a.operation, keras.Layer):
            if not _agree(_settings(a.operation), _settings(b.operation), names):
                return False
        elif a.operation is not b.operation:
            return False
        if not _agree((a.args, a.kwargs), (b.args, b.kwargs), names):
            return False
        names |= zip(ids(a.outputs), ids(b.outputs), strict=True)
    return True


def _settings(operation: Any) -> dict[str, Any]:
    """Returns what an operation was made with."""
    return {
        key: value
        for key, value in vars(operation).items()
        if not key.startswith("_") and key != "name"
    }


def _agree(one: Any, other: Any, names: dict[int, int]) -> bool:
    """Whether two nests of arguments are the same, but for the names of tensors."""
    flat, others = keras.tree.flatten(one), keras.tree.flatten(other)
    if len(flat) != len(others):
        return False
    return all(_equal(a, b, names) for a, b in zip(flat, others, strict=True))


def _equal(a: Any, b: Any, names: dict[int, int]) -> bool:
    if is_symbolic(a) or is_symbolic(b):
        return names.get(id(a)) == id(b)
    if a is b:
        return True
    if type(a) is not type(b) or isinstance(a, keras.Variable):
        return False
    if keras.ops.is_tensor(a) or isinstance(a, np.ndarray):
        a, b = keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b)
        return a.shape == b.shape and bool(np.array_equal(a, b))
    return bool(a == b) or callable(a)
