"""A Keras model as a flat list of steps: every layer opened that has no rule itself."""

from collections import namedtuple

import keras

Step = namedtuple("Step", "operation args kwargs outputs part")
Graph = namedtuple("Graph", "inputs steps outputs models")

WHOLE, LINEAR, ACTIVATION = "whole", "linear", "activation"  # the part that a step is

# Nothing but a training matter: in an explanation their output is their input.
ASLEEP = (
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
)


def open_model(model, closed):
    """Lists what a model does, in an order in which it can be done.

    A nested model is walked through; a composite layer (a gate, say) is called through
    `layer.call`, which leaves its own layers and operations in the list in its place;
    this repeats until every layer left may stay closed. A layer with a kernel and an
    activation becomes two steps. Layers and weights are used as they are, not copied.

    Args:
        model: A functional or Sequential `keras.Model`.
        closed: A function from a layer to whether it may stay closed.

    Returns:
        A `Graph` of input tensors, `Step`s and output tensors; the tensors are
        symbolic and serve as names.

    Raises:
        ValueError: If the model is subclassed, so that its inside cannot be seen.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
        raise ValueError(
            "Only a model whose graph is known can be rewritten: a subclassed model "
            "shows its layers to nobody. Expected a functional or Sequential "
            "keras.Model (build one with keras.Model(inputs, outputs)). "
            f"Received: {type(model).__name__}"
        )
    opening = _Opening(closed)
    inputs = [_name_like(tensor) for tensor in model.inputs]
    known = {
        id(tensor): name for tensor, name in zip(model.inputs, inputs, strict=True)
    }
    try:
        opening.follow(model.outputs, known)
    finally:
        opening.leave_no_trace()
    outputs = [known[id(tensor)] for tensor in model.outputs]
    return Graph(inputs, opening.steps, outputs, opening.models)


class _Opening:
    def __init__(self, closed):
        self.closed = closed
        self.steps = []
        self.models = []  # nested ones
        self.traces = []  # (layer, how many calls it knew of)

    def follow(self, outputs, known):
        """Lists the steps to `outputs`; `known` maps tensors to their names.

        keras.models.clone_model would do the walk, but refuses two layers of one name,
        and every gate has its "reduce" and "expand". Hence the walk along the history
        that each symbolic tensor carries. A stack, since networks are deep.
        """
        stack = list(outputs)
        while stack:
            tensor = stack[-1]
            if id(tensor) in known:
                stack.pop()
                continue
            operation, index, _ = tensor._keras_history
            node = operation._inbound_nodes[index]
            missing = [t for t in node.input_tensors if id(t) not in known]
            if missing:
                stack.extend(missing)
                continue
            names = self.enter(operation, node, known)
            for outer, name in zip(node.outputs, names, strict=True):
                known[id(outer)] = name

    def enter(self, operation, node, known):
        """Adds what one call does, and returns the names of its outputs."""
        args = _named(node.arguments.args, known)
        kwargs = {
            key: value
            for key, value in _named(node.arguments.kwargs, known).items()
            if value is not None and key not in ("training", "mask")
        }
        kind = type(operation).__name__ if from_keras(operation) else None
        if kind in ASLEEP or kind and kind.startswith("Random"):
            return tensors((args, kwargs))[:1]
        if getattr(operation, "inputs", None) and isinstance(operation, keras.Model):
            self.models.append(operation)
            inner = dict(
                zip(map(id, operation.inputs), tensors((args, kwargs)), strict=True)
            )
            self.follow(operation.outputs, inner)
            return [inner[id(tensor)] for tensor in operation.outputs]
        if isinstance(operation, keras.Layer) and not self.closed(operation):
            self.remember(operation)
            inside = keras.tree.flatten(operation.call(*args, **kwargs))
            inner = {id(name): name for name in tensors((args, kwargs))}
            self.follow(inside, inner)
            return [inner[id(tensor)] for tensor in inside]
        names = tuple(_name_like(output) for output in node.outputs)
        bent = getattr(operation, "activation", None)
        if not hasattr(operation, "kernel") or bent in (None, keras.activations.linear):
            self.steps.append(Step(operation, args, kwargs, names, WHOLE))
            return names
        between = (_name_like(node.outputs[0]),)
        self.steps.append(Step(operation, args, kwargs, between, LINEAR))
        self.steps.append(Step(operation, between, {}, names, ACTIVATION))
        return names

    def remember(self, layer):
        for each in layer._flatten_layers():
            self.traces.append((each, len(each._inbound_nodes)))

    def leave_no_trace(self):
        """Lets the user's layers forget the calls that opening them made."""
        for layer, count in reversed(self.traces):
            del layer._inbound_nodes[count:]


def from_keras(operation):
    """Whether it is Keras's own, and not somebody's of the same name."""
    return type(operation).__module__.startswith("keras.")


def tensors(arguments):
    """Returns the symbolic tensors inside any nest of arguments."""
    return [leaf for leaf in keras.tree.flatten(arguments) if is_symbolic(leaf)]


def is_symbolic(leaf):
    return isinstance(leaf, keras.KerasTensor)


def _named(arguments, known):
    """Replaces each symbolic tensor by its name."""
    return keras.tree.map_structure(
        lambda leaf: known[id(leaf)] if is_symbolic(leaf) else leaf, arguments
    )


def _name_like(tensor):
    """Makes a fresh symbolic tensor: one call, one name, however often it is made."""
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)
