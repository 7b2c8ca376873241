"""One step of a model, and what can be read off it before anything is computed."""

import functools
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, TypeGuard

import keras

Part = Literal["complete", "linear", "activation"]
COMPLETE: Part = "complete"
LINEAR: Part = "linear"
ACTIVATION: Part = "activation"

# What a subclass of one of Keras's layers may say for itself and still compute what
# that layer computes.
HARMLESS = frozenset(
    "add_weight bias build compute_mask compute_output_shape compute_output_spec "
    "count_params from_config get_build_config build_from_config get_config kernel "
    "load_own_variables save_own_variables quantize".split()
)


class Step(NamedTuple):
    """One call of a layer or operation, or a part of it.

    Attributes:
        operation: The layer or operation.
        args: Its arguments; symbolic tensors stand for values.
        kwargs: Those by name.
        outputs: The symbolic tensors that stand for its results.
        part: `"complete"`; or, of a layer with a kernel and an activation, which of
            the two this step is.
        path: The names of the user's layers around it, from the outermost in.
        kind: What the step does, where its class does not tell: `"Entrywise"`,
            `"Linear"`, `"Affine"` or `"Softmax"`, as it was found by trying, or
            `"Unknown"`.
        note: Why the step could not be opened, or empty.
    """

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Any, ...]
    part: Part
    path: tuple[str, ...] = ()
    kind: str = ""
    note: str = ""


class Graph(NamedTuple):
    """A model as a list of steps, in an order in which they can be computed.

    Attributes:
        inputs: The symbolic tensors that stand for the model's inputs.
        steps: The steps.
        outputs: The symbolic tensors that stand for its outputs.
        fixed: Those of `inputs` that are not explained.
        per_sample: Whether the steps hold for one sample at a time only, since a
            layer's code makes something of the size of the batch.
        known: The model's own symbolic tensors, each with the one that stands for it.
    """

    inputs: list[Any]
    steps: list[Step]
    outputs: list[Any]
    fixed: tuple[Any, ...] = ()
    per_sample: bool = False
    known: tuple[tuple[Any, Any], ...] = ()


def moving_inputs(graph: Graph) -> list[int]:
    """Returns the ids of the inputs that are explained, those with a derivative."""
    fixed = set(ids(graph.fixed))
    return [id(x) for x in graph.inputs if is_floating(x) and id(x) not in fixed]


def known_name(operation: Any) -> str:
    """Returns the name of what a layer or operation computes.

    The class name of Keras's layer or operation that it is, or whose subclass it is
    without computing anything else; for others `"module.Class"`, which no table has.
    """
    kind: Any = type(operation)
    return _known_name(kind)


@functools.cache
def _known_name(kind: type) -> str:
    changed: set[str] = set()
    for base in kind.__mro__:
        if base.__module__.startswith("keras."):
            if changed.isdisjoint(dir(base)):
                return base.__name__
            break
        changed.update(
            name
            for name in vars(base)
            if name not in HARMLESS
            and (not name.startswith("__") or name == "__call__")
        )
    return f"{kind.__module__}.{kind.__qualname__}"


def name_of(step: Step) -> str:
    """Returns the name by which a step's rule is found.

    The class of the layer or operation; `"Activation"` for the activation of a layer
    with a kernel; what was found by trying, where the class does not tell.
    """
    if step.kind:
        return step.kind
    if step.part == ACTIVATION:
        return "Activation"
    return known_name(step.operation)


def described(step: Step) -> str:
    """Names a step and the user's layer around it, for a message."""
    name = f"{step.operation.name!r} ({type(step.operation).__name__})"
    around = [layer for layer in step.path if layer != step.operation.name]
    if around:
        name += f" of the layer {' > '.join(around)!r}"
    return name


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
    """Whether it is Keras's own or computes the same, and not only of the same name."""
    return "." not in known_name(operation)


def is_symbolic(leaf: Any) -> TypeGuard[keras.KerasTensor]:
    """Whether something is a symbolic tensor."""
    return isinstance(leaf, keras.KerasTensor)


def is_floating(tensor: Any) -> bool:
    """Whether a tensor has a type by which one can differentiate."""
    return "float" in keras.backend.standardize_dtype(tensor.dtype)


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
