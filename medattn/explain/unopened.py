"""What analyzers share that look at layers from outside and leave them in one piece."""

import keras
from keras import ops

from medattn.explain.analyzer import Analyzer
from medattn.explain.graph.operations import ATOMIC
from medattn.explain.graph.registry import stays_closed


class Whole(Analyzer):
    """Runs composite layers as they are; what passes between layers is float32."""

    def stays_closed(self, layer):
        return True

    def compute_step(self, step, args, kwargs):
        layer = step.operation
        composite = isinstance(layer, keras.Layer) and not stays_closed(layer, ATOMIC)
        if not composite or layer.compute_dtype == "float32":
            return super().compute_step(step, args, kwargs)
        # Its own layers cast to half precision, and its operations do not.
        args, kwargs = cast((args, kwargs), layer.compute_dtype)
        return cast(super().compute_step(step, args, kwargs), "float32")


def cast(values, dtype):
    """Casts all floating-point tensors of a nest."""

    def one(value):
        floating = "float" in keras.backend.standardize_dtype(value.dtype)
        return ops.cast(value, dtype) if floating else value

    return keras.tree.map_structure(
        lambda value: one(value) if hasattr(value, "dtype") else value, values
    )
