"""A contract with Keras 3.15.1 for the private names that only the trace reads."""

import keras
from keras import layers

from medattn.explain.graph.keras_private import (
    RECORDS_OF_CALLS,
    attach_mask,
    forget_call,
    mask_of,
    output_structure,
)
from medattn.layers.keras_private import count_calls

SAID = f"Keras {keras.__version__}: mend medattn/explain/graph/keras_private.py"


def test_a_mask_is_found_on_the_tensor_that_has_it():
    x = layers.Masking()(keras.Input((3, 2)))
    assert mask_of(x) is not None, SAID
    y = keras.Input((3, 2))
    assert mask_of(y) is None
    attach_mask(y, mask_of(x))
    assert mask_of(y) is mask_of(x)


def test_a_model_knows_the_nest_of_its_outputs():
    x = keras.Input((3,))
    model = keras.Model(x, {"a": layers.Dense(2)(x), "b": layers.Dense(1)(x)})
    assert sorted(output_structure(model)) == ["a", "b"], SAID


def test_a_layer_forgets_its_last_call_and_no_other():
    dense, x = layers.Dense(3), keras.Input((3,))
    first, second = dense(x), dense(x)
    forget_call(dense, [first])
    assert count_calls(dense) == 2, SAID
    forget_call(dense, [second])
    assert count_calls(dense) == 1, SAID


def test_a_layer_has_the_records_of_its_calls():
    for name in RECORDS_OF_CALLS:
        assert getattr(layers.Dense(3), name) == [], SAID
