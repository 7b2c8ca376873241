"""From images in memory to shuffled, augmented batches in tf.data."""


def batches(images, labels, batch_size, *, training, seed):
    """Feeds a model; see `Dataset.batches`.

    Args:
        images: `(n, height, width, channels)`, uint8.
        labels: `(n,)`.
        batch_size: Images in a batch.
        training: Whether to shuffle, repeat and augment.
        seed: Seed of order and augmentation.

    Returns:
        A `tf.data.Dataset` of `(image, label)`.
    """
    import tensorflow as tf  # here, so that reading data under JAX needs no TensorFlow

    if not training:
        stream = tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size)
        return stream.map(
            lambda image, label: (tf.cast(image, tf.float32) / 255, label),
            num_parallel_calls=tf.data.AUTOTUNE,
        ).prefetch(tf.data.AUTOTUNE)

    stored, classes = tf.constant(images), tf.constant(labels)

    def load(place, position):
        image = tf.cast(stored[position], tf.float32) / 255
        # Stateless, seeded by the place in the stream: parallel calls cannot disturb
        # it, and a later pass over the same image gives other pixels.
        key = tf.stack([tf.cast(seed, tf.int64), place])
        image = tf.image.stateless_random_flip_left_right(image, key)
        turns = tf.random.stateless_uniform([], key, 0, 4, tf.int32)
        return tf.image.rot90(image, turns), classes[position]

    return (
        tf.data.Dataset.range(len(labels))
        .shuffle(len(labels), seed=seed, reshuffle_each_iteration=True)
        .repeat()
        .enumerate()
        .map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )
