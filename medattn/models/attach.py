"""Attention for any functional Keras model: a block behind the layers that match."""

import difflib
import fnmatch
import re

import keras


def attach(model, block, where):
    """Puts an attention block behind chosen layers of a model.

    The new model shares every layer and weight with the old, which stays as it was.
    With a gate that starts as `identity`, the two compute the same until it is trained.

    Args:
        model: A functional or Sequential `keras.Model`, of anybody's.
        block: What makes a block: a layer class, a function without arguments, or a
            layer, of which each place gets a copy with weights of its own.
        where: Which layers: a name or a pattern (`"conv5_*_out"`), a layer class, a
            function from a layer to a bool, or a list of any of these. Layers of a
            model inside the model are meant, too; their names begin with its own,
            `"backbone/conv5_*_out"`, where a `*` stands for slashes as well.

    Returns:
        A functional `keras.Model`. The block behind layer `x` is called `x_<block>`,
        such as `"conv5_block3_out_squeeze_excite"`.

    Raises:
        ValueError: If the model is subclassed, or nothing matches; the message names
            the nearest layers.
    """
    if not _is_model(model):
        raise ValueError(
            "A block can be put only into a model whose graph is known. Expected a "
            f"functional or Sequential keras.Model. Received: {type(model).__name__}"
        )
    if not _reaches(model, where):
        raise ValueError(_nothing_found(model, where))
    return _attended(model, block, where)


def _attended(model, block, where, prefix=""):
    """Rebuilds a model, and those inside it in which something matches."""
    blocks, inner = {}, {}

    def call_and_attend(operation, *args, **kwargs):
        if not isinstance(operation, keras.Layer):
            return operation(*args, **kwargs)
        path = prefix + operation.name
        layer = operation
        if _is_model(layer) and _reaches(layer, where, f"{path}/"):
            if path not in inner:
                inner[path] = _attended(layer, block, where, f"{path}/")
            layer = inner[path]
        outputs = layer(*args, **kwargs)
        if not _matches(operation, path, where):
            return outputs
        if path not in blocks:  # a layer used twice keeps one block
            blocks[path] = _make(block, operation.name)
        return blocks[path](outputs)

    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.models.clone_model(
        model,
        clone_function=lambda layer: layer,
        call_function=call_and_attend,
    )


def _named(model, prefix=""):
    """Lists the layers of a model and of those inside it, with their paths."""
    for layer in model.layers:
        yield prefix + layer.name, layer
        if _is_model(layer):
            yield from _named(layer, f"{prefix}{layer.name}/")


def _reaches(model, where, prefix=""):
    return any(_matches(layer, path, where) for path, layer in _named(model, prefix))


def _is_model(layer):
    """Whether a layer is itself a model whose graph is known."""
    return isinstance(layer, keras.Model) and bool(getattr(layer, "outputs", None))


def _matches(layer, path, where):
    if isinstance(where, list | tuple | set):
        return any(_matches(layer, path, one) for one in where)
    if _is_input(layer):
        return False
    if isinstance(where, str):
        return fnmatch.fnmatchcase(path, where)
    if isinstance(where, type):
        return isinstance(layer, where)
    return bool(where(layer))


def _is_input(layer):
    return isinstance(layer, keras.layers.InputLayer)


def _make(block, name):
    """Makes a new block, named after the layer that it stands behind."""
    if isinstance(block, keras.Layer):
        config = block.get_config()
        kind = type(block)
    else:
        sample = block()
        config, kind = sample.get_config(), type(sample)
    # The class's own name, not the automatic one with its running number.
    suffix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()
    return kind.from_config({**config, "name": f"{name}_{suffix}"})


def _nothing_found(model, where):
    names = [name for name, _ in _named(model)]
    near = []
    for one in where if isinstance(where, list | tuple | set) else [where]:
        if isinstance(one, str):
            near += difflib.get_close_matches(one, names, n=3, cutoff=0.4)
    hint = f"Near misses: {near}." if near else f"The last layers are {names[-5:]}."
    return (
        f"No layer of {model.name!r} matches. Expected a name, a pattern such as "
        f"'conv*', a layer class or a function that fits some layer. {hint} "
        f"Received: where={where!r}"
    )
