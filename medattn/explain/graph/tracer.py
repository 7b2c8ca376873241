"""From a Keras model to a flat list of steps: every layer opened that has no rule.

Nothing is written to the user's layers. A layer is opened by following its `call` on
symbolic tensors of known shape, with a shadow in its place (`shadow.py`), or by the
expression that `openers.py` has for it.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras

from medattn.explain.graph.compute import compute_step
from medattn.explain.graph.keras_private import (
    attach_mask,
    forget_call,
    mask_of,
    output_structure,
)
from medattn.explain.graph.linear_layers import LINEAR_LAYERS
from medattn.explain.graph.linear_operations import BILINEAR, KERNEL_SECOND
from medattn.explain.graph.openers import OPENED_WITH_MASK, OPENERS, opener_of
from medattn.explain.graph.operations import (
    ATOMIC,
    INFERENCE_IDENTITIES,
    SHAPE_READERS,
)
from medattn.explain.graph.probe import ENTRYWISE_ACTIVATIONS, kind_of_function
from medattn.explain.graph.registry import REGISTERED
from medattn.explain.graph.shadow import Shadows, VariableTensor
from medattn.explain.graph.steps import (
    ACTIVATION,
    COMPLETE,
    LINEAR,
    Step,
    is_floating,
    is_symbolic,
    known_name,
    tensors,
)
from medattn.layers.keras_private import Call, call_that_made
from medattn.layers.tensor import Tensor

UNKNOWN = "Unknown"  # the kind of a step that no table has
Closed = Callable[[keras.Layer], bool]


class Trace:
    """Collects steps while it follows tensors back to the inputs.

    Args:
        closed: A function from a layer to whether it may stay closed.
        batch: The size of the batch in the shapes of the symbolic tensors.

    Attributes:
        steps: The steps found so far.
        opened: Whether some code of a layer was followed.
    """

    def __init__(self, closed: Closed, batch: int):
        self.closed, self.batch = closed, batch
        self.steps: list[Step] = []
        self.opened = False
        self.path: tuple[str, ...] = ()
        self._shadows = Shadows(self.call_layer)
        self._known: dict[int, Any] = {}  # of all that the code of layers has made
        self._kept: list[Any] = []  # so that no id is used twice
        self._moving: set[int] = set()  # names of what depends on an input

    def input_like(self, tensor: Any, shape: Sequence[int | None]) -> Any:
        """Makes the symbolic tensor that stands for an input, of a known shape."""
        name = self._named(tensor, (self.batch, *shape[1:]))
        if is_floating(name):
            self._moving.add(id(name))
        return name

    def follow(self, outputs: Sequence[Any], known: dict[int, Any]) -> list[Any]:
        """Lists the steps to `outputs`; `known` maps tensors to their names.

        keras.models.clone_model would find them too, but refuses two layers of one
        name, and every gate has its "reduce" and "expand". Hence the search along the
        history of each symbolic tensor. A stack, since networks are deep.

        Returns:
            The names of `outputs`.
        """
        stack = list(outputs)
        while stack:
            tensor = stack[-1]
            if self._name(tensor, known) is not None:
                stack.pop()
                continue
            call = call_that_made(tensor)
            missing = [t for t in call.input_tensors if self._name(t, known) is None]
            if missing:
                stack.extend(missing)
                continue
            self._add_call(call, known)
        return [self._name(tensor, known) for tensor in outputs]

    def _add_call(self, call: Call, known: dict[int, Any]) -> None:
        """Adds the steps of one call that Keras has recorded."""
        args, kwargs = keras.tree.map_structure(
            lambda leaf: self._name(leaf, known) if is_symbolic(leaf) else leaf,
            (call.args, call.kwargs),
        )
        made = self._call(call.operation, args, kwargs, call.outputs)
        self._kept.append(call.outputs)
        for outer, name in zip(call.outputs, keras.tree.flatten(made), strict=True):
            known[id(outer)] = name
        if known is self._known and isinstance(call.operation, keras.Layer):
            # A layer without a shadow, from a closure: it has recorded the call.
            forget_call(call.operation, call.outputs)

    def call_layer(self, layer: keras.Layer, args: Any, kwargs: Any) -> Any:
        """Follows a layer that the code of another one calls."""
        args, kwargs = self.resolved((args, kwargs))
        return self._call(layer, args, kwargs)

    def resolved(self, values: Any) -> Any:
        """Replaces symbolic tensors that code has made by names, their steps listed."""
        self.follow(tensors(values), self._known)

        def one(leaf: Any) -> Any:
            if not is_symbolic(leaf):
                return leaf
            name, mask = self._name(leaf, self._known), mask_of(leaf)
            if mask is not None and name is not leaf:
                attach_mask(name, self.resolved(mask))
            return name

        return keras.tree.map_structure(one, values)

    def _call(
        self, operation: Any, args: Any, kwargs: dict[str, Any], outputs: Any = None
    ) -> Any:
        """Adds the steps of a call, and passes masks on as Keras does."""
        if not isinstance(operation, keras.Layer) or is_functional(operation):
            return self.add(operation, args, kwargs, outputs)
        first = args[0] if args else next(iter(kwargs.values()), None)
        mask = keras.tree.map_structure(mask_of, first)
        masked = any(each is not None for each in keras.tree.flatten(mask))
        if masked:
            kwargs = _with_masks(operation, args, kwargs)
        made = self.add(operation, args, kwargs, outputs)
        makes = type(operation).compute_mask is not keras.Layer.compute_mask
        if operation.supports_masking and (masked or makes):
            mask = kwargs.get("mask") if kwargs.get("mask") is not None else mask
            after = self._shadows.of(operation).compute_mask(first, mask)
            flat = keras.tree.flatten(made)
            after = after if isinstance(after, list | tuple) else [after] * len(flat)
            for name, each in zip(flat, after, strict=False):
                if each is not None and mask_of(name) is None and is_symbolic(name):
                    attach_mask(name, self.resolved(each))
        return made

    def add(
        self, operation: Any, args: Any, kwargs: dict[str, Any], outputs: Any = None
    ) -> Any:
        """Adds the steps of one call.

        Args:
            operation: The layer or operation.
            args: Its arguments, symbolic tensors among them being names.
            kwargs: Those by name.
            outputs: The symbolic tensors that Keras has recorded as its results.

        Returns:
            The names of its results, in the nest that the call returns.
        """
        kwargs = {
            key: value
            for key, value in kwargs.items()
            if value is not None and key != "training"
        }
        name = known_name(operation)
        random = name.startswith("Random") and name != "RandomCrop"
        if name in INFERENCE_IDENTITIES or random:
            return tensors((args, kwargs))[0]
        if is_functional(operation):
            return self._functional(operation, args, kwargs)
        if isinstance(operation, keras.Layer):
            closed = self.closed(operation)
            closed &= not ("mask" in kwargs and name in OPENED_WITH_MASK)
        else:
            closed = name not in OPENERS
        note = "" if closed else self._open(operation, args, kwargs)
        if not isinstance(note, str):
            return note[0]
        return self._closed(operation, args, kwargs, outputs, note)

    def _functional(self, model: keras.Model, args: Any, kwargs: Any) -> Any:
        """Lists the steps of a model inside the model."""
        names = tensors((args, kwargs))
        known = dict(zip(map(id, model.inputs), names, strict=True))
        with self._inside(model):
            self.follow(model.outputs, known)
        return keras.tree.map_structure(
            lambda tensor: known[id(tensor)], output_structure(model)
        )

    def _open(self, operation: Any, args: Any, kwargs: Any) -> str | tuple[Any]:
        """Follows the code of a layer or operation.

        Returns:
            A tuple of what the code returns; or, as a string, why that is not possible.
        """
        self.opened, before = True, len(self.steps)
        is_layer = isinstance(operation, keras.Layer)
        actor = self._shadows.of(operation) if is_layer else operation
        opener = opener_of(operation, kwargs)
        with self._inside(operation):
            try:
                if opener is not None:
                    return (self.resolved(opener(actor, *args, **kwargs)),)
                return (self.resolved(actor.call(*args, **kwargs)),)
            except Exception as error:  # the code is the user's: anything may come
                del self.steps[before:]
                lines = str(error).strip().splitlines() or [""]
                return f"{type(error).__name__}: {lines[0][:200]}"

    @contextlib.contextmanager
    def _inside(self, operation: Any) -> Iterator[None]:
        """Adds a layer's name to the path of the steps listed inside."""
        path, self.path = self.path, (*self.path, operation.name)
        try:
            yield
        finally:
            self.path = path

    def _closed(
        self, operation: Any, args: Any, kwargs: Any, outputs: Any, note: str
    ) -> Any:
        """Adds a layer or operation in one piece, or in kernel and activation."""
        made = self._named_outputs(operation, args, kwargs, outputs)
        names = tuple(keras.tree.flatten(made))
        args, kwargs = keras.tree.map_structure(
            lambda leaf: leaf.variable if isinstance(leaf, VariableTensor) else leaf,
            (args, kwargs),
        )
        read = tensors((args, kwargs))
        if not self._moving.isdisjoint(map(id, read)):
            self._moving.update(map(id, names))
        activation = getattr(operation, "activation", None)
        if activation in (None, keras.activations.linear) or note:
            self._append(operation, args, kwargs, names, COMPLETE, note=note)
            if note or _is_unknown(operation):
                self._try()
            return made
        has_kernel = hasattr(operation, "kernel")
        if not has_kernel and known_name(operation) != "Activation":
            self._append(operation, args, kwargs, names, COMPLETE)
            return made
        between = names
        if has_kernel:
            between = (self._named(names[0], names[0].shape),)
            self._append(operation, args, kwargs, between, LINEAR)
            args, kwargs = between, {}
        part = ACTIVATION if has_kernel else COMPLETE
        if activation in ENTRYWISE_ACTIVATIONS:
            self._append(operation, args, kwargs, names, part)
            return made
        return self._function(operation, activation, args, names, part)

    def _try(self) -> None:
        """Finds what the last step does by trying it, if it is of one tensor."""
        step = self.steps[-1]
        moving = [t for t in tensors((step.args, step.kwargs)) if id(t) in self._moving]
        if len(moving) != 1 or len(step.outputs) != 1:
            self.steps[-1] = step._replace(kind=UNKNOWN if step.note else "")
            return

        def call(x: Tensor) -> Tensor:
            filled = keras.tree.map_structure(
                lambda leaf: x if leaf is moving[0] else leaf, (step.args, step.kwargs)
            )
            return compute_step(step, *filled)

        kind = kind_of_function(call, moving[0]) or (UNKNOWN if step.note else "")
        self.steps[-1] = step._replace(kind=kind)

    def _function(
        self, operation: Any, activation: Any, args: Any, names: Any, part: Any
    ) -> Any:
        """Adds an activation that is nobody's but the user's, opened if it can be."""
        self.opened, before = True, len(self.steps)
        with self._inside(operation):
            try:
                if isinstance(activation, keras.Layer):
                    return self.call_layer(activation, args, {})
                return self.resolved(activation(*args))
            except Exception as error:  # the code is the user's: anything may come
                del self.steps[before:]
                note = f"{type(error).__name__}: {str(error).strip()[:200]}"
        kind = kind_of_function(activation, args[0]) or UNKNOWN
        self._append(operation, args, {}, names, part, kind=kind, note=note)
        return names[0]

    def _append(
        self,
        operation: Any,
        args: Any,
        kwargs: Any,
        names: tuple[Any, ...],
        part: Any,
        **what: str,
    ) -> None:
        self.steps.append(Step(operation, args, kwargs, names, part, self.path, **what))

    def _named_outputs(
        self, operation: Any, args: Any, kwargs: Any, outputs: Any
    ) -> Any:
        """Makes the names of a call's results, their shapes known."""
        known = outputs is not None and isinstance(operation, keras.Layer)
        if known and not any(None in tensor.shape[1:] for tensor in outputs):
            read = tensors((args, kwargs))
            first = read[0].shape[0] if read and read[0].shape else self.batch
            named = [self._named(t, (first, *t.shape[1:])) for t in outputs]
            return named[0] if len(named) == 1 else named
        if known_name(operation) == "EinsumDense":  # whose own shape has gaps
            kernel = keras.KerasTensor(operation.kernel.shape, operation.compute_dtype)
            made = keras.ops.einsum(operation.equation, args[0], kernel)
        else:
            made = operation.compute_output_spec(*args, **kwargs)
        if _has_gaps(made) and not _has_gaps((args, kwargs)):
            made = keras.Operation.compute_output_spec(operation, *args, **kwargs)
        return keras.tree.map_structure(lambda t: self._named(t, t.shape), made)

    def _named(self, tensor: Any, shape: Sequence[int | None]) -> Any:
        """Makes a new symbolic tensor like another: one call, one name."""
        name = keras.KerasTensor(tuple(shape), tensor.dtype, name="name")
        self._known[id(name)] = name
        self._kept.append(name)
        return name

    def _name(self, tensor: Any, known: dict[int, Any]) -> Any:
        """Returns the name of a symbolic tensor, or None."""
        if isinstance(tensor, VariableTensor):
            return tensor
        name = known.get(id(tensor))
        return self._known.get(id(tensor)) if name is None else name


def _has_gaps(values: Any) -> bool:
    """Whether a size of some symbolic tensor is not known."""
    return any(None in tensor.shape for tensor in tensors(values))


def _is_unknown(operation: Any) -> bool:
    """Whether no table has an operation that is no layer."""
    name = known_name(operation)
    tables = (ATOMIC, LINEAR_LAYERS, SHAPE_READERS, KERNEL_SECOND, BILINEAR)
    known = any(name in table for table in tables) or type(operation) in REGISTERED
    return not isinstance(operation, keras.Layer) and not known


def is_functional(operation: Any) -> bool:
    """Whether it is a model whose graph is known."""
    return isinstance(operation, keras.Model) and bool(
        getattr(operation, "inputs", None) and getattr(operation, "outputs", None)
    )


def _with_masks(layer: keras.Layer, args: Any, kwargs: dict[str, Any]) -> Any:
    """Adds the masks of a layer's inputs to its arguments, where it asks for them."""
    parameters = inspect.signature(layer.call).parameters
    given = dict(zip(parameters, args, strict=False)) | kwargs
    moving = {key: value for key, value in given.items() if tensors(value)}
    wanted = {f"{key}_mask": value for key, value in moving.items()}
    if len(moving) == 1:
        wanted = {"mask": next(iter(moving.values()))}
    added = {
        key: keras.tree.map_structure(mask_of, value)
        for key, value in wanted.items()
        if key in parameters and given.get(key) is None
    }
    return kwargs | added
