"""A Keras model as a flat list of steps: every layer opened that has no rule itself."""

from collections import namedtuple

import keras

Step = namedtuple("Step", "operation args kwargs outputs")
Graph = namedtuple("Graph", "inputs steps outputs")


def open_model(model, has_rule):
    """Lists what a model does, in an order in which it can be done.

    A composite layer (a gate, say) is called through `layer.call`, which leaves its
    own layers and operations in the list in its place; this repeats until every layer
    left has a rule. Layers and weights are used as they are, not copied.

    Args:
        model: A functional or Sequential `keras.Model`.
        has_rule: A function from a layer to whether it may stay closed.

    Returns:
        A `Graph` of input tensors, `Step`s and output tensors; the tensors are
        symbolic and serve as names.

    Raises:
        ValueError: If the model is subclassed, so that its inside cannot be seen.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
        raise ValueError(
            "Only a model whose graph is known can be rewritten. Expected a functional "
            f"or Sequential keras.Model. Received: {type(model).__name__}"
        )
    steps = []
    known = {id(tensor): tensor for tensor in model.inputs}  # tensor -> its true name
    # keras.models.clone_model would do the walk, but refuses two layers of one name,
    # and every gate has its "reduce" and "expand". Hence the walk along the history
    # that each symbolic tensor carries. A stack, since networks are deep.
    stack = list(model.outputs)
    opened = {}  # node -> the tensors that stand for its outputs
    while stack:
        tensor = stack[-1]
        if id(tensor) in known:
            stack.pop()
            continue
        operation, node_index, _ = tensor._keras_history
        node = operation._inbound_nodes[node_index]
        missing = [source for source in node.input_tensors if id(source) not in known]
        if missing:
            stack.extend(missing)
            continue
        if isinstance(operation, keras.Layer) and not has_rule(operation):
            if id(node) not in opened:
                inside = operation.call(
                    *_named(node.arguments.args, known),
                    **_given(_named(node.arguments.kwargs, known)),
                )
                opened[id(node)] = keras.tree.flatten(inside)
            inner = opened[id(node)]
            waiting = [source for source in inner if id(source) not in known]
            if waiting:
                stack.extend(waiting)
                continue
            for outer, stand_in in zip(node.outputs, inner, strict=True):
                known[id(outer)] = known[id(stand_in)]
            continue
        for output in node.outputs:
            known[id(output)] = output
        args = _named(node.arguments.args, known)
        kwargs = _given(_named(node.arguments.kwargs, known))
        steps.append(Step(operation, args, kwargs, tuple(node.outputs)))
    return Graph(model.inputs, steps, [known[id(tensor)] for tensor in model.outputs])


def tensors(arguments):
    """Returns the symbolic tensors inside any nest of arguments."""
    return [leaf for leaf in keras.tree.flatten(arguments) if is_symbolic(leaf)]


def is_symbolic(leaf):
    return isinstance(leaf, keras.KerasTensor)


def _named(arguments, known):
    """Replaces each symbolic tensor by the one that stands for it."""
    return keras.tree.map_structure(
        lambda leaf: known[id(leaf)] if is_symbolic(leaf) else leaf, arguments
    )


def _given(kwargs):
    """Leaves out what was not given, such as `mask=None`."""
    return {key: value for key, value in kwargs.items() if value is not None}
