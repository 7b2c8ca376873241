"""Stand-ins for a user's layers, so that their `call` can be followed and not written.

A shadow is an object of a subclass of the layer's own class. It has the layer's
attributes, but every variable in them is a symbolic tensor and every layer a shadow;
what the code of `call` writes to itself is written to the shadow. So the original stays
as it is, and each trace (each thread) has shadows of its own.
"""

from collections.abc import Callable
from typing import Any

import keras

from medattn.explain.graph.keras_private import (
    RECORDS_OF_CALLS,
    TRACKED_BY_TENSORFLOW,
)

CallLayer = Callable[[keras.Layer, tuple[Any, ...], dict[str, Any]], Any]
# Attributes that belong to the original alone.
LEFT_OUT = (
    "build",
    "quantize",
    "_tracker",
    "_parent_path",
    *RECORDS_OF_CALLS,
    *TRACKED_BY_TENSORFLOW,
)


class VariableTensor(keras.KerasTensor):
    """A variable as a symbolic tensor, which may meet others in either order.

    Args:
        variable: The variable.
    """

    def __init__(self, variable: keras.Variable):
        super().__init__(variable.shape, variable.dtype, name=variable.name)
        self.variable = variable
        self.path = variable.path
        self.trainable = variable.trainable

    @property
    def value(self) -> "VariableTensor":
        """The tensor itself: there is nothing between a variable and its value."""
        return self


class Shadow:
    """What a shadow does instead of the layer that it stands for."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        known = vars(self)
        return known["_shadow_call"](known["_shadow_of"], args, kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)

    def add_loss(self, *args: Any, **kwargs: Any) -> None:
        """Adds nothing: an explanation has no loss."""


class Shadows:
    """Makes the shadows of one trace, one for each layer and variable.

    Args:
        call_layer: What a shadow does when it is called: a function of the original
            layer, the arguments, and those by name.
    """

    def __init__(self, call_layer: CallLayer):
        self._call_layer = call_layer
        self._made: dict[int, Any] = {}
        self._originals: list[Any] = []  # kept, so that no id is used twice

    def of(self, layer: keras.Layer) -> Any:
        """Returns the shadow of a layer."""
        if id(layer) in self._made:
            return self._made[id(layer)]
        kind = type(layer)
        shadow_kind = type(kind.__name__, (Shadow, kind), {"__module__": __name__})
        shadow: Any = object.__new__(shadow_kind)
        self._remember(layer, shadow)
        attributes: dict[str, Any] = {
            name: self._shadowed(value)
            for name, value in list(vars(layer).items())
            if name not in LEFT_OUT
        }
        attributes |= {name: [] for name in RECORDS_OF_CALLS}
        attributes["_shadow_of"] = layer
        attributes["_shadow_call"] = self._call_layer
        vars(shadow).update(attributes)
        return shadow

    def _remember(self, original: Any, made: Any) -> None:
        self._originals.append(original)
        self._made[id(original)] = made

    def _shadowed(self, value: Any) -> Any:
        """Returns what stands for a value of an attribute."""
        if isinstance(value, keras.Variable):
            if id(value) not in self._made:
                self._remember(value, VariableTensor(value))
            return self._made[id(value)]
        if isinstance(value, keras.Layer):
            return self.of(value)
        if isinstance(value, list):
            return [self._shadowed(each) for each in value]
        if isinstance(value, dict):
            return {key: self._shadowed(each) for key, each in value.items()}
        if type(value) is tuple:
            return tuple(self._shadowed(each) for each in value)
        return value
