"""Private names of Keras that only the trace reads, each behind one small function.

The others are in `medattn.layers.keras_private`. Written for Keras 3.15.1;
`tests/explain/graph/test_keras_private.py` holds Keras to each name.
"""

from typing import Any

import keras

# Where a layer remembers the calls that it took part in.
RECORDS_OF_CALLS = ("_inbound_nodes", "_outbound_nodes")
# What TensorFlow, whose module each layer is there, notes in it for checkpoints.
TRACKED_BY_TENSORFLOW = (
    "_self_name_based_restores",
    "_self_saveable_object_factories",
    "_self_setattr_tracking",
    "_self_tracked_trackables",
    "_self_unconditional_checkpoint_dependencies",
    "_self_unconditional_deferred_dependencies",
    "_self_unconditional_dependency_names",
    "_self_update_uid",
)


def mask_of(tensor: Any) -> Any:
    """Returns the mask that a layer has attached to a tensor, or None."""
    return getattr(tensor, "_keras_mask", None)


def attach_mask(tensor: Any, mask: Any) -> None:
    """Attaches a mask to a tensor, for the layers that read it."""
    tensor._keras_mask = mask


def output_structure(model: keras.Model) -> Any:
    """Returns a functional model's outputs as it returns them: a nest of tensors."""
    known = getattr(model, "_outputs_struct", None)  # a Sequential has none
    return model.outputs[0] if known is None else known


def forget_call(operation: keras.Operation, outputs: list[Any]) -> None:
    """Lets a layer forget its last call, if that is the one with these outputs."""
    calls = operation._inbound_nodes
    if calls and outputs and calls[-1].outputs and calls[-1].outputs[0] is outputs[0]:
        del calls[-1]
