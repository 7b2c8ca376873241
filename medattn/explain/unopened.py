"""The base of analyzers that compute composite layers in one piece."""

from typing import Any

import keras
from keras import ops

from medattn.explain.analyzer import Analyzer
from medattn.explain.graph.operations import ATOMIC
from medattn.explain.graph.registry import stays_closed
from medattn.explain.graph.steps import Step


class LayerwiseAnalyzer(Analyzer):
    """Runs composite layers unopened; values between layers are float32."""

    def stays_closed(self, layer: keras.Layer) -> bool:
        return True

    def compute_step(self, step: Step, args: Any, kwargs: Any) -> Any:
        layer = step.operation
        composite = isinstance(layer, keras.Layer) and not stays_closed(layer, ATOMIC)
        if not composite or layer.compute_dtype == "float32":
            return super().compute_step(step, args, kwargs)
        # Its inner layers cast to half precision, and its operations do not.
        args, kwargs = cast((args, kwargs), layer.compute_dtype)
        return cast(super().compute_step(step, args, kwargs), "float32")


def cast(values: Any, dtype: str) -> Any:
    """Casts all floating-point tensors of a nest.

    Args:
        values: Any nest of lists, tuples and dicts.
        dtype: The new type.
    """

    def cast_one(value: Any) -> Any:
        if not hasattr(value, "dtype"):
            return value
        floating = "float" in keras.backend.standardize_dtype(value.dtype)
        return ops.cast(value, dtype) if floating else value

    return keras.tree.map_structure(cast_one, values)
