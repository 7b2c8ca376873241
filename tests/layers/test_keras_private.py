"""A contract with Keras 3.15.1: each private name that medattn reads is still there."""

from pathlib import Path

import keras
import pytest
from keras import layers

from medattn.layers.keras_private import (
    all_layers,
    call_that_made,
    count_calls,
    forget_calls,
    pack_inputs,
)

TRIED_WITH = "3.15.1"


def broken(name, function):
    """Says what to do where Keras has changed."""
    return (
        f"Keras {keras.__version__} no longer has {name} as Keras {TRIED_WITH} had it: "
        f"mend `{function}` in medattn/layers/keras_private.py."
    )


def doubled():
    """A model of one dense layer, called twice, and the sum of both."""
    x = keras.Input((3,), name="x")
    dense = layers.Dense(3, name="dense")
    once = dense(x)
    return keras.Model(x, layers.Add(name="add")([once, dense(once)])), dense


def test_a_symbolic_tensor_knows_the_layer_and_the_call_that_made_it():
    model, dense = doubled()
    said = broken("tensor._keras_history and layer._inbound_nodes", "call_that_made")
    try:
        add = call_that_made(model.output)
        second = call_that_made(add.input_tensors[1])
    except (AttributeError, TypeError, ValueError) as error:
        pytest.fail(f"{said} ({error})")
    assert add.operation is model.get_layer("add"), said
    assert add.outputs[0] is model.output, said
    assert second.operation is dense and second.outputs[0] is add.input_tensors[1], said
    assert second.input_tensors[0] is add.input_tensors[0], said  # not the first call


def test_a_call_knows_its_arguments_by_position_and_by_name():
    said = broken("node.arguments.args and node.arguments.kwargs", "call_that_made")
    x = keras.Input((3,))
    call = call_that_made(keras.ops.sum(x, axis=1, keepdims=True))
    leaves = keras.tree.flatten((call.args, call.kwargs))
    assert any(leaf is x for leaf in leaves), said
    call = call_that_made(layers.Dropout(0.1)(x, training=True))
    assert call.kwargs.get("training") is True, said


def test_a_layer_counts_its_calls_and_forgets_the_last_ones():
    said = broken("layer._inbound_nodes", "count_calls and forget_calls")
    model, dense = doubled()
    assert count_calls(dense) == 2, said
    dense(keras.Input((3,)))
    assert count_calls(dense) == 3, said
    forget_calls(dense, 2)
    assert count_calls(dense) == 2, said
    assert call_that_made(model.output).operation is model.get_layer("add"), said


def test_all_layers_are_listed_at_every_depth():
    said = broken("layer._flatten_layers(include_self=...)", "all_layers")
    model, dense = doubled()
    outer = keras.Sequential([keras.Input((3,)), model])
    found = all_layers(outer)
    assert any(layer is outer for layer in found), said
    for inner in (model, dense, model.get_layer("add")):
        assert any(layer is inner for layer in found), said
    inside = all_layers(outer, include_self=False)
    assert not any(layer is outer for layer in inside), said


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_tensors_are_packed_as_a_model_wants_its_inputs(kind):
    said = broken("model._inputs_struct", "pack_inputs")
    one, two = keras.Input((2,), name="one"), keras.Input((3,), name="two")
    inputs = {"list": [one, two], "dict": {"one": one, "two": two}}[kind]
    model = keras.Model(inputs, layers.Concatenate()([one, two]))
    tensors = [keras.ops.ones((1, 2)), keras.ops.zeros((1, 3))]
    packed = pack_inputs(model, tensors)
    flat = keras.tree.flatten(packed)
    assert all(a is b for a, b in zip(flat, tensors, strict=True)), said
    assert type(packed).__name__ == kind, said
    assert tuple(model(packed).shape) == (1, 5), said


def test_no_other_file_of_medattn_reads_a_private_name_of_keras():
    names = "_keras_history _inbound_nodes _flatten_layers _inputs_struct keras.src"
    for path in (Path(__file__).parents[2] / "medattn").rglob("*.py"):
        if path.name != "keras_private.py":
            text = path.read_text()
            found = [name for name in names.split() if name in text]
            assert not found, f"{path} reads {found}: add it to keras_private.py"
