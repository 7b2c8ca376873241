"""Where a trial is computed: on the processor, on one accelerator, or on several."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, Literal

import keras


def find_gpus() -> list[str]:
    """Names the accelerators that TensorFlow sees; none under another backend."""
    if keras.backend.backend() != "tensorflow":
        return []
    import tensorflow as tf

    count = len(tf.config.list_physical_devices("GPU"))
    return [f"GPU:{number}" for number in range(count)]


def training_scope(devices: Sequence[str]) -> AbstractContextManager[Any]:
    """Returns the scope to build a model in: mirrored where there are several devices.

    Each device then takes its part of every batch, and batch norms see that part. The
    sums of a step have another order, so the bits are not those of one device.
    """
    if len(devices) < 2:
        return nullcontext()
    return _mirror(tuple(devices)).scope()


def on_one_device(model: keras.Model, devices: Sequence[str]) -> keras.Model:
    """Returns the model itself, or if it is mirrored a plain one on the same weights.

    A mirrored model predicts a batch once for each device.
    """
    if len(devices) < 2:
        return model
    return keras.models.clone_model(model, clone_function=lambda layer: layer)


def uses_xla(devices: Sequence[str]) -> bool | Literal["auto"]:
    """Chooses `jit_compile` of `keras.Model.compile`.

    Small convolution nets train at half the speed under it on a processor, and mirrored
    models do not train under it at all; on one accelerator Keras decides.
    """
    if keras.backend.backend() != "tensorflow":
        return "auto"
    return "auto" if len(devices) == 1 else False


@lru_cache
def _mirror(devices: tuple[str, ...]) -> Any:
    """One strategy a process: the sums of a second one get the numbers of the first."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(devices)
