"""Models without their last activation, and what a model contains."""

from typing import Any

import keras

from medattn.layers.keras_private import all_layers


def model_wo_softmax(model: keras.Model) -> keras.Model:
    """Returns the model without the softmax at its end.

    Args:
        model: A functional or Sequential model.

    Returns:
        A model of the same inputs; of a layer with a kernel and a softmax, the weights
        are copied, all others are shared.

    Raises:
        ValueError: If there is no softmax at the end.
    """
    return _without(model, "softmax")


def model_wo_output_activation(model: keras.Model) -> keras.Model:
    """Returns the model without the activation at its end, whichever it is.

    Args:
        model: A functional or Sequential model.

    Raises:
        ValueError: If there is no activation at the end.
    """
    return _without(model, None)


def has_softmax(model: keras.Model) -> bool:
    """Whether a layer of the model is, or has, a softmax."""
    return any(_activation_of(layer) == "softmax" for layer in _layers(model))


def has_lambda(model: keras.Model) -> bool:
    """Whether a layer of the model is a `keras.layers.Lambda`."""
    return any(isinstance(layer, keras.layers.Lambda) for layer in _layers(model))


def _layers(model: keras.Model) -> list[Any]:
    return list(all_layers(model, include_self=False))


def _activation_of(layer: Any) -> str | None:
    """Names a layer's activation; None if it has none."""
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    if isinstance(layer, keras.layers.ReLU):
        return "relu"
    activation = getattr(layer, "activation", None)
    name = None if activation is None else getattr(activation, "__name__", "unknown")
    return None if name == "linear" else name


def _without(model: keras.Model, wanted: str | None) -> keras.Model:
    last = model.layers[-1]
    found = _activation_of(last)
    if found is None or wanted not in (None, found) or len(model.outputs) != 1:
        raise ValueError(
            "There is no such activation to leave out. Expected one output, and a "
            f"last layer with the activation {wanted or 'to be left out'}. Received: "
            f"{last.name!r} ({type(last).__name__}), with {found}"
        )
    before = last.input
    if not last.weights:
        return keras.Model(model.inputs, before, name=model.name)
    config = last.get_config() | {"activation": "linear"}
    plain = type(last).from_config(config)
    outputs = plain(before)
    plain.set_weights(last.get_weights())
    return keras.Model(model.inputs, outputs, name=model.name)
