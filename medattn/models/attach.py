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
            function from a layer to a bool, or a list of any of these.

    Returns:
        A functional `keras.Model`. The block behind layer `x` is called `x_<block>`,
        such as `"conv5_block3_out_squeeze_excite"`.

    Raises:
        ValueError: If the model is subclassed, or nothing matches; the message names
            the nearest layers.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
        raise ValueError(
            "A block can be put only into a model whose graph is known. Expected a "
            f"functional or Sequential keras.Model. Received: {type(model).__name__}"
        )
    chosen = {layer.name for layer in model.layers if _matches(layer, where)}
    chosen -= {layer.name for layer in model.layers if _is_input(layer)}
    if not chosen:
        raise ValueError(_nothing_found(model, where))
    blocks = {}

    def call_and_attend(operation, *args, **kwargs):
        outputs = operation(*args, **kwargs)
        if not isinstance(operation, keras.Layer) or operation.name not in chosen:
            return outputs
        if operation.name not in blocks:  # a layer used twice keeps one block
            blocks[operation.name] = _make(block, operation.name)
        return blocks[operation.name](outputs)

    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.models.clone_model(
        model,
        clone_function=lambda layer: layer,
        call_function=call_and_attend,
    )


def _matches(layer, where):
    if isinstance(where, list | tuple | set):
        return any(_matches(layer, one) for one in where)
    if isinstance(where, str):
        return fnmatch.fnmatchcase(layer.name, where)
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
    names = [layer.name for layer in model.layers]
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
