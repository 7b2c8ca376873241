"""A model as it is, run from any of its tensors on, and up to its softmax."""

from collections.abc import Sequence
from typing import Any

import keras

from medattn.explain.graph.linear_layers import LinearLayer, kind_of
from medattn.explain.graph.probe import kind_of_function
from medattn.explain.graph.steps import (
    Graph,
    activation_name,
    is_floating,
    known_name,
    name_of,
    sources,
)
from medattn.explain.graph.tracer import is_functional
from medattn.layers.keras_private import Call, all_layers, call_that_made, pack_inputs
from medattn.layers.tensor import Tensor

PROBABILITIES = ("softmax", "sigmoid")  # what may follow the logits


class ModelRunner:
    """Calls a model's own layers, and opens none of them.

    Args:
        model: Any `keras.Model`.
        inputs: The model's symbolic tensors to begin with; None takes its inputs.
        output: Which output of several.
        keep_probability: Whether a softmax or sigmoid at the end is computed, too.

    Attributes:
        removed: The name of the softmax or sigmoid that is left out, or None.
    """

    def __init__(
        self,
        model: keras.Model,
        inputs: Sequence[Any] | None = None,
        output: int = 0,
        *,
        keep_probability: bool = False,
    ):
        self.model, self.inputs, self.index = model, inputs, output
        self.functional = is_functional(model)
        found = probability_at_end(model, output) if self.functional else None
        self.removed = None if keep_probability else found

    def __call__(self, arrays: Sequence[Tensor]) -> Tensor:
        """Computes the explained output, `(batch, classes)`.

        Args:
            arrays: One tensor for each of `inputs`, and of the model's inputs that are
                not among them.
        """
        if self.removed is None and self.inputs is None:
            return self.whole(arrays)
        values = self.started(arrays)
        end = self.model.outputs[self.index]
        if self.removed is None:
            return self.run([end], values)[0]
        return _before_probability(self, end, values)

    def whole(self, arrays: Sequence[Tensor]) -> Tensor:
        """Calls the model itself."""
        if not self.functional:
            given = arrays[0] if len(arrays) == 1 else list(arrays)
            outputs = self.model(given, training=False)
        elif len(arrays) == 1:
            outputs = self.model(arrays[0], training=False)
        else:
            packed = pack_inputs(self.model, list(arrays))
            outputs = self.model(packed, training=False)
        return keras.tree.flatten(outputs)[self.index]

    def started(self, arrays: Sequence[Tensor]) -> dict[int, Tensor]:
        """Returns the values to begin with, by the ids of the model's tensors."""
        first = list(self.inputs or []) or list(self.model.inputs)
        first += [t for t in self.model.inputs if all(t is not each for each in first)]
        return dict(zip(map(id, first), arrays, strict=True))

    def run(self, tensors: Sequence[Any], values: dict[int, Tensor]) -> list[Tensor]:
        """Computes some of the model's tensors by its own layers.

        Args:
            tensors: Symbolic tensors of the model.
            values: What is known already, by ids; what is computed is added.
        """
        stack = list(tensors)
        while stack:
            if id(stack[-1]) in values:
                stack.pop()
                continue
            call = call_that_made(stack[-1])
            missing = [each for each in call.input_tensors if id(each) not in values]
            stack.extend(missing)
            if not missing:
                found = keras.tree.flatten(_called(call, values))
                values.update(zip(map(id, call.outputs), found, strict=True))
        return [values[id(tensor)] for tensor in tensors]


def probability_at_end(model: keras.Model, output: int = 0) -> str | None:
    """Returns `"softmax"` or `"sigmoid"` if a functional model ends in one."""
    call = call_that_made(model.outputs[output])
    operation: Any = call.operation
    if is_functional(operation):
        inner = next(
            n for n, t in enumerate(call.outputs) if t is model.outputs[output]
        )
        return probability_at_end(operation, inner)
    name = known_name(operation).lower()
    if name in PROBABILITIES:
        return name
    activation = getattr(operation, "activation", None)
    if activation is None or not (name == "activation" or kind_of(operation)):
        return None
    for known in PROBABILITIES:
        if activation is keras.activations.get(known):
            return known
    if getattr(activation, "__name__", "") in PROBABILITIES:
        return str(activation.__name__)
    if str(getattr(activation, "__module__", "")).startswith("keras."):
        return None
    row = keras.KerasTensor((2, 5), name="row")
    return "softmax" if kind_of_function(activation, row) == "Softmax" else None


def explained_tensor(
    graph: Graph, index: int, *, keep_probability: bool = False
) -> tuple[Any, str | None]:
    """Finds what is explained: an output, or what goes into its softmax.

    Args:
        graph: The opened model.
        index: Which output of several.
        keep_probability: Whether a softmax or sigmoid at the end stays.

    Returns:
        The symbolic tensor, and the softmax or sigmoid that was left out, if any.
    """
    output = graph.outputs[index]
    for step in graph.steps:
        if step.outputs[0] is not output or keep_probability:
            continue
        name = name_of(step).lower()
        if name in ("activation", "entrywise") and hasattr(
            step.operation, "activation"
        ):
            name = activation_name(step)
        if name in PROBABILITIES:
            return sources(step)[0], name
    return output, None


def tensor_at(model: keras.Model, name: str) -> Any:
    """Returns the output of one of a functional model's layers."""
    names = [layer.name for layer in model.layers]
    if name not in names:
        raise ValueError(
            f"The model has no such layer. Expected one of {names}. "
            f"Received: at={name!r}"
        )
    outputs = keras.tree.flatten(model.get_layer(name).output)
    if len(outputs) != 1 or not is_floating(outputs[0]):
        raise ValueError(
            "This layer's output cannot be explained. Expected a layer with one output "
            f"of floating-point numbers. Received: at={name!r}"
        )
    return outputs[0]


def embedding_name(model: keras.Model) -> str:
    """Names a layer that makes vectors of whole numbers, as an example."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Embedding):
            return str(layer.name)
    return "embedding"


def is_half_precision(model: keras.Model) -> bool:
    """Whether some layer of a model computes in less than float32."""
    layers = all_layers(model, include_self=False)
    return any(layer.compute_dtype in ("float16", "bfloat16") for layer in layers)


def _called(call: Call, values: dict[int, Tensor]) -> Any:
    """Repeats a call of the model with values."""
    args, kwargs = keras.tree.map_structure(
        lambda leaf: values[id(leaf)] if isinstance(leaf, keras.KerasTensor) else leaf,
        (call.args, call.kwargs),
    )
    return call.operation(*args, **kwargs)


def _before_probability(
    runner: ModelRunner, end: Any, values: dict[int, Tensor]
) -> Tensor:
    """Computes what goes into the softmax or sigmoid that makes an output."""
    call = call_that_made(end)
    before = runner.run(call.input_tensors, values)
    operation = call.operation
    if is_functional(operation):
        inner = next(n for n, t in enumerate(call.outputs) if t is end)
        known = dict(zip(map(id, operation.inputs), before, strict=True))
        return _before_probability(runner, operation.outputs[inner], known)
    if kind_of(operation) is None:
        return before[0]
    x = keras.ops.cast(before[0], operation.compute_dtype)
    return LinearLayer(operation).output(x)
