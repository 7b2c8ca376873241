"""From a data set to shuffled, augmented batches in tf.data.

positions -> shuffle -> read or decode, in parallel -> batch -> one warp and one change
of light -> prefetch. Positions are shuffled, never images; all random numbers depend on
(seed, epoch, sample) alone.
"""

import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from medattn.data import augment
from medattn.data.sources import ImageSource

if TYPE_CHECKING:
    import tensorflow as tf

IN_MEMORY = 2_000_000_000  # bytes of images that TensorFlow keeps in memory


def batches(
    source: ImageSource,
    labels: np.ndarray,
    ids: Sequence[str],
    batch_size: int,
    *,
    training: bool,
    seed: int,
    start: int,
    augmentation: augment.Augmentation,
    masks: bool,
    device: str | None,
) -> "tf.data.Dataset":
    """Builds the stream of batches of `Dataset.batches`, which describes the arguments.

    Returns:
        A `tf.data.Dataset` of `(image, label)` or `(image, label, mask)`.
    """
    import tensorflow as tf  # here, so that reading data under JAX needs no TensorFlow

    labels = np.asarray(labels, np.int64)
    rows = batch_size if training else None
    augmented = training and augmentation != augment.Augmentation()
    exact = augment.is_exact(augmentation)
    plan = _planner(source, ids, batch_size, training, seed, augmentation)
    read = _image_reader(source, rows)

    def read_masks(positions: np.ndarray) -> np.ndarray:
        return np.asarray(source.masks)[positions]

    def load(batch: "tf.Tensor") -> tuple["tf.Tensor", ...]:
        kinds = (tf.int64, tf.float32, tf.float32)
        positions, warp, light = tf.numpy_function(plan, [batch], kinds)
        positions.set_shape((rows,))
        warp.set_shape((rows, 8))
        light.set_shape((rows, 5))
        image = tf.cast(read(positions), tf.float32) / 255
        if augmented:
            image = augment.apply(image, warp, light, exact=exact)
        label = tf.gather(tf.constant(labels), positions)
        if not masks:
            return image, label
        mask = tf.numpy_function(read_masks, [positions], tf.bool)
        mask.set_shape((rows, *source.shape))
        if augmented:
            mask = tf.cast(mask, tf.float32)[..., None]
            mask = augment.apply(mask, warp, None, exact=exact)[..., 0] > 0.5
        return image, label, mask

    # 2^62 batches: without end, and yet a range, so that any batch can be the start.
    last = 2**62 if training else -(-len(labels) // batch_size)
    stream = tf.data.Dataset.range(start, last)
    stream = stream.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    if training:
        stream = stream.apply(
            tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        )
    return prefetch(stream, device)


def prefetch(stream: "tf.data.Dataset", device: str | None = None) -> "tf.data.Dataset":
    """Computes batches ahead, and copies them to a device where one is named.

    Args:
        stream: A `tf.data.Dataset`.
        device: `"GPU:0"` or the like, or None.
    """
    import tensorflow as tf

    stream = stream.prefetch(tf.data.AUTOTUNE)
    if device is None:
        return stream
    return stream.apply(tf.data.experimental.prefetch_to_device(f"/{device}"))


def _planner(
    source: ImageSource,
    ids: Sequence[str],
    batch_size: int,
    training: bool,
    seed: int,
    augmentation: augment.Augmentation,
) -> Callable[[int], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns a function from a batch's number to its positions, warps and lights."""
    n, (height, width) = len(ids), source.shape
    samples = np.array([zlib.crc32(name.encode()) for name in ids], np.int64)

    def plan(batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        steps = np.arange(batch_size) + int(batch) * batch_size
        if not training:
            steps = steps[steps < n]
            light = np.zeros((len(steps), 5), np.float32)
            return steps, np.zeros((len(steps), 8), np.float32), light
        epochs = steps // n
        positions = np.concatenate(
            [_order(n, seed, e)[steps[epochs == e] % n] for e in np.unique(epochs)]
        )
        return positions, *augment.sample_changes(
            augmentation, seed, epochs, samples[positions], height, width
        )

    return plan


def _image_reader(
    source: ImageSource, rows: int | None
) -> Callable[["tf.Tensor"], "tf.Tensor"]:
    """Returns a function from positions to images uint8, `(rows, height, width, 3)`."""
    import tensorflow as tf

    if source.images is not None and source.images.nbytes <= IN_MEMORY:
        stored = tf.constant(source.images)
        return lambda positions: tf.gather(stored, positions)

    def read(positions: "tf.Tensor") -> "tf.Tensor":
        image = tf.numpy_function(source.read, [positions], tf.uint8)
        image.set_shape((rows, *source.shape, 3))
        return image

    return read


@lru_cache(maxsize=4)
def _order(n: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, int(epoch)]).permutation(n)
