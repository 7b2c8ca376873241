"""Attention for any functional Keras model: a block after the layers that match."""

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

import keras

from medattn.layers.tensor import Tensor

Block: TypeAlias = Callable[[], keras.layers.Layer] | keras.layers.Layer
Condition: TypeAlias = (
    str | type[keras.layers.Layer] | Callable[[keras.layers.Layer], bool]
)
Where: TypeAlias = Condition | list[Condition] | tuple[Condition, ...] | set[Condition]


def attach(model: keras.Model, block: Block, where: Where) -> keras.Model:
    """Puts an attention block after chosen layers of a model.

    The new model shares every layer and weight with the old one, which stays unchanged.
    With a gate of `start="identity"`, the two compute the same until it is trained.

    Args:
        model: Any functional or Sequential `keras.Model`.
        block: What creates a block: a layer class, a function without arguments, or a
            layer, of which each position gets a copy with new weights.
        where: Which layers: a name or a pattern (`"conv5_*_out"`), a layer class, a
            function from a layer to a bool, or a list of any of these. Layers of
            nested models are included; their names begin with that of the nested
            model, `"backbone/conv5_*_out"`, and a `*` matches slashes too.

    Returns:
        A functional `keras.Model`. The block after layer `x` is called `x_<block>`,
        such as `"conv5_block3_out_squeeze_excite"`.

    Raises:
        ValueError: If the model is subclassed, or nothing matches; the message names
            similar layers.
    """
    if not _is_model(model):
        raise ValueError(
            "A block can be attached only to a model whose graph is known. Expected a "
            f"functional or Sequential keras.Model. Received: {type(model).__name__}"
        )
    if not _any_matches(model, where):
        raise ValueError(_no_match(model, where))
    return _rebuilt(model, block, where)


def _rebuilt(
    model: keras.Model,
    block: Block,
    where: Where,
    prefix: str = "",
) -> keras.Model:
    """Rebuilds a model, and the nested models in which something matches."""
    blocks: dict[str, keras.layers.Layer] = {}
    nested: dict[str, keras.Model] = {}

    def call_and_attend(
        operation: keras.Operation, *args: Tensor, **kwargs: Tensor
    ) -> Tensor:
        if not isinstance(operation, keras.Layer):
            return operation(*args, **kwargs)
        path = prefix + operation.name
        layer = operation
        if _is_model(layer) and _any_matches(layer, where, f"{path}/"):
            if path not in nested:
                nested[path] = _rebuilt(layer, block, where, f"{path}/")
            layer = nested[path]
        outputs = layer(*args, **kwargs)
        if not _matches(operation, path, where):
            return outputs
        if path not in blocks:  # a layer used twice keeps one block
            blocks[path] = _new_block(block, operation.name)
        return blocks[path](outputs)

    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.models.clone_model(
        model,
        clone_function=lambda layer: layer,
        call_function=call_and_attend,
    )


def _named(
    model: keras.Model, prefix: str = ""
) -> Iterator[tuple[str, keras.layers.Layer]]:
    """Lists the layers of a model and of its nested models, with their paths."""
    for layer in model.layers:
        yield prefix + layer.name, layer
        if _is_model(layer):
            yield from _named(layer, f"{prefix}{layer.name}/")


def _any_matches(model: keras.Model, where: Where, prefix: str = "") -> bool:
    return any(_matches(layer, path, where) for path, layer in _named(model, prefix))


def _is_model(layer: keras.layers.Layer) -> bool:
    """Whether a layer is itself a model whose graph is known."""
    return isinstance(layer, keras.Model) and bool(getattr(layer, "outputs", None))


def _matches(layer: keras.layers.Layer, path: str, where: Where) -> bool:
    if isinstance(where, list | tuple | set):
        return any(_matches(layer, path, one) for one in where)
    if _is_input(layer):
        return False
    if isinstance(where, str):
        return fnmatch.fnmatchcase(path, where)
    if isinstance(where, type):
        return isinstance(layer, where)
    return bool(where(layer))


def _is_input(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.InputLayer)


def _new_block(block: Block, name: str) -> keras.layers.Layer:
    """Creates a block, named after the layer that it follows."""
    if isinstance(block, keras.Layer):
        config = block.get_config()
        kind = type(block)
    else:
        sample = block()
        config, kind = sample.get_config(), type(sample)
    # The name of the class, not the automatic one with a running number.
    suffix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()
    return kind.from_config({**config, "name": f"{name}_{suffix}"})


def _no_match(model: keras.Model, where: Where) -> str:
    names = [name for name, _ in _named(model)]
    near: list[str] = []
    for one in where if isinstance(where, list | tuple | set) else [where]:
        if isinstance(one, str):
            near += difflib.get_close_matches(one, names, n=3, cutoff=0.4)
    hint = f"Near misses: {near}." if near else f"The last layers are {names[-5:]}."
    return (
        f"No layer of {model.name!r} matches. Expected a name, a pattern such as "
        f"'conv*', a layer class or a function that fits some layer. {hint} "
        f"Received: where={where!r}"
    )
