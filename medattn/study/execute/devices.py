"""Where a trial is computed: on the processor, one accelerator, or several at once."""

from contextlib import nullcontext
from functools import lru_cache

import keras


def find_gpus():
    """Names the accelerators that TensorFlow sees; none under another backend."""
    if keras.backend.backend() != "tensorflow":
        return []
    import tensorflow as tf

    count = len(tf.config.list_physical_devices("GPU"))
    return [f"GPU:{number}" for number in range(count)]


def training_scope(devices):
    """Returns the scope to build a model in: mirrored where there are several devices.

    Each device then takes its share of every batch, and batch norms see the share. The
    sums of a step come in another order, so the bits are not those of one device.
    """
    if len(devices) < 2:
        return nullcontext()
    return _mirror(tuple(devices)).scope()


def on_one_device(model, devices):
    """Returns the model itself, or if it is mirrored a plain one on the same weights.

    A mirrored model answers a batch once for each device.
    """
    if len(devices) < 2:
        return model
    return keras.models.clone_model(model, clone_function=lambda layer: layer)


def uses_xla(devices):
    """Says what `compile` is to do about XLA.

    Small convolution nets train at half the speed under it on a processor, and mirrored
    models do not train under it at all; on one accelerator Keras decides.
    """
    if keras.backend.backend() != "tensorflow":
        return "auto"
    return "auto" if len(devices) == 1 else False


@lru_cache
def _mirror(devices):
    """One strategy a process: a second one would number its sums like the first."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(devices)
