"""One step of a model, and what can be read off it before anything is computed."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, TypeGuard

import keras

Part = Literal["complete", "linear", "activation"]
COMPLETE: Part = "complete"
LINEAR: Part = "linear"
ACTIVATION: Part = "activation"


class Step(NamedTuple):
    """One call of a layer or operation, or a part of it.

    Attributes:
        operation: The layer or operation.
        args: Its arguments; symbolic tensors stand for values.
        kwargs: Those by name.
        outputs: The symbolic tensors that stand for its results.
        part: `"complete"`; or, of a layer with a kernel and an activation, which of
            the two this step is.
    """

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Any, ...]
    part: Part


class Graph(NamedTuple):
    """A model as a list of steps, in an order in which they can be computed."""

    inputs: list[Any]
    steps: list[Step]
    outputs: list[Any]


def name_of(step: Step) -> str:
    """Returns the name by which a step's rule is found.

    The class of the layer or operation; `"Activation"` for the activation of a layer
    with a kernel.
    """
    if step.part == ACTIVATION:
        return "Activation"
    return type(step.operation).__name__


def activation_name(step: Step) -> str:
    """Returns the name of an activation step's function."""
    activation = step.operation.activation
    return getattr(activation, "__name__", type(activation).__name__)


def is_relu(step: Step) -> bool:
    """Whether a step is the plain rectifier."""
    name = name_of(step)
    if name in ("Relu", "ReLU"):
        return not any(
            getattr(step.operation, option, None)
            for option in ("max_value", "negative_slope", "threshold")
        )
    return name == "Activation" and activation_name(step) == "relu"


def from_keras(operation: Any) -> bool:
    """Whether it is Keras's own, and not somebody's of the same name."""
    return type(operation).__module__.startswith("keras.")


def is_symbolic(leaf: Any) -> TypeGuard[keras.KerasTensor]:
    """Whether something is a symbolic tensor."""
    return isinstance(leaf, keras.KerasTensor)


def tensors(arguments: Any) -> list[Any]:
    """Returns the symbolic tensors inside any nest of arguments."""
    return [leaf for leaf in keras.tree.flatten(arguments) if is_symbolic(leaf)]


def sources(step: Step) -> list[Any]:
    """Returns the symbolic tensors that a step reads."""
    return tensors((step.args, step.kwargs))


def ids(arguments: Any) -> list[int]:
    """Returns the ids of the symbolic tensors inside any nest of arguments."""
    return [id(tensor) for tensor in tensors(arguments)]


def fill_in(step: Step, values: dict[int, Any]) -> tuple[Any, Any]:
    """Returns a step's arguments with values for symbolic tensors.

    Args:
        step: The step.
        values: From the ids of tensors to their values.
    """
    return keras.tree.map_structure(
        lambda leaf: values[id(leaf)] if is_symbolic(leaf) else leaf,
        (step.args, step.kwargs),
    )


def store(step: Step, results: Any, values: dict[int, Any]) -> None:
    """Adds a step's results to `values`, by the ids of its outputs."""
    values.update(zip(ids(step.outputs), keras.tree.flatten(results), strict=True))


def producers(steps: Iterable[Step]) -> dict[int, Step]:
    """Returns the step that makes each tensor, by the tensor's id."""
    return {id(tensor): step for step in steps for tensor in step.outputs}
