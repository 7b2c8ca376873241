"""Small networks for the tests of analyzers, with random weights."""

import contextlib

import keras
import numpy as np
from keras import layers


def randomised(model, seed=0):
    """Fills every weight, biases and batch-norm shifts too, at a sensible size."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.path.endswith(("gamma", "moving_variance")):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif len(weight.shape) < 2:
            weight.assign(rng.normal(0, 0.3, weight.shape))
        else:
            scale = (2 / np.prod(weight.shape[:-1])) ** 0.5
            weight.assign(rng.normal(0, scale, weight.shape))
    return model


def uniformly_randomised(model, seed=0):
    """Fills every weight from a uniform distribution."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        positive = weight.path.endswith(("gamma", "moving_variance"))
        low, high = (0.5, 1.5) if positive else (-0.3, 0.3)
        weight.assign(rng.uniform(low, high, weight.shape))
    return model


def calibrated(model, seed=0):
    """Fills every weight at random, and measures the batch norms' statistics.

    So values keep their size in any depth, as in a trained network.
    """
    randomised(model, seed)
    norms = [
        layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)
    ]
    for norm in norms:
        norm.momentum = 0.0
    images = np.random.default_rng(seed).random((16, *model.input_shape[1:]))
    model(images.astype(np.float32), training=True)
    for norm in norms:
        norm.momentum = 0.99
    return model


def one_layer(inputs=6, outputs=4, seed=0, **options):
    """Flatten and one dense layer; weights of both signs, biases not zero."""
    image = keras.Input((1, 1, inputs))
    layer = layers.Dense(outputs, **options)
    return randomised(keras.Model(image, layer(layers.Flatten()(image))), seed)


@contextlib.contextmanager
def uncompiled():
    """Runs TensorFlow eagerly: much faster for a large network that is called once."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
