"""From a data set to shuffled, augmented batches in tf.data.

list -> cached images -> shuffled places -> read or decode, in parallel -> batch ->
one warp and one change of light -> prefetch. Places are shuffled, never images; what
is random follows from (seed, pass, sample) alone.
"""

import zlib
from functools import lru_cache

import numpy as np

from medattn.data import augment

IN_MEMORY = 2_000_000_000  # bytes of images that are handed to TensorFlow as they are


def batches(
    source,
    labels,
    ids,
    batch_size,
    *,
    training,
    seed,
    start,
    augmentation,
    masks,
    device,
):
    """Feeds a model; see `Dataset.batches`.

    Args:
        source: Where images come from: `read(positions)`, and `images` in memory or
            None.
        labels: `(n,)`.
        ids: One name an image; names seed the augmentation.
        batch_size: Images in a batch.
        training: Whether to shuffle, repeat and augment.
        seed: Seed of order and augmentation.
        start: Batches already seen.
        augmentation: An `Augmentation`.
        masks: Whether to add the masks of the evidence, which move with their images.
        device: Where the batches are to lie when they are asked for, or None.

    Returns:
        A `tf.data.Dataset` of `(image, label)` or `(image, label, mask)`.
    """
    import tensorflow as tf  # here, so that reading data under JAX needs no TensorFlow

    labels = np.asarray(labels, np.int64)
    n, (height, width) = len(labels), source.shape
    samples = np.array([zlib.crc32(name.encode()) for name in ids], np.int64)
    exact = augment.is_exact(augmentation)
    stored = None
    if source.images is not None and source.images.nbytes <= IN_MEMORY:
        stored = tf.constant(source.images)

    def plan(batch):
        """Which images make up a batch, and how they are changed."""
        places = np.arange(batch_size) + int(batch) * batch_size
        if not training:
            places = places[places < n]
            light = np.zeros((len(places), 5), np.float32)
            return places, np.zeros((len(places), 8), np.float32), light
        epochs = places // n
        positions = np.concatenate(
            [_order(n, seed, e)[places[epochs == e] % n] for e in np.unique(epochs)]
        )
        return positions, *augment.draw(
            augmentation, seed, epochs, samples[positions], height, width
        )

    def load(batch):
        kinds = (tf.int64, tf.float32, tf.float32)
        positions, warp, light = tf.numpy_function(plan, [batch], kinds)
        rows = batch_size if training else None
        positions.set_shape((rows,)), warp.set_shape((rows, 8))
        light.set_shape((rows, 5))
        if stored is None:
            image = tf.numpy_function(source.read, [positions], tf.uint8)
            image.set_shape((rows, height, width, 3))
        else:
            image = tf.gather(stored, positions)
        image = tf.cast(image, tf.float32) / 255
        if training and augmentation != augment.Augmentation():
            image = augment.apply(image, warp, light, exact=exact)
        label = tf.gather(tf.constant(labels), positions)
        if not masks:
            return image, label
        mask = tf.numpy_function(source.read_masks, [positions], tf.bool)
        mask.set_shape((rows, height, width))
        if training and augmentation != augment.Augmentation():
            mask = tf.cast(mask, tf.float32)[..., None]
            mask = augment.apply(mask, warp, None, exact=exact)[..., 0] > 0.5
        return image, label, mask

    # 2^62 batches: without end, and yet a range, so that any place is a start.
    last = 2**62 if training else -(-n // batch_size)
    stream = tf.data.Dataset.range(start, last)
    stream = stream.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    if training:
        stream = stream.apply(
            tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        )
    return prefetch(stream, device)


def prefetch(stream, device=None):
    """Makes batches ahead, and copies them to a device where one is named.

    Args:
        stream: A `tf.data.Dataset`.
        device: `"GPU:0"` or the like, or None.
    """
    import tensorflow as tf

    stream = stream.prefetch(tf.data.AUTOTUNE)
    if device is None:
        return stream
    return stream.apply(tf.data.experimental.prefetch_to_device(f"/{device}"))


@lru_cache(maxsize=4)
def _order(n, seed, epoch):
    return np.random.default_rng([seed, int(epoch)]).permutation(n)
