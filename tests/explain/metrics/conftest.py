"""A linear model, whose gradient is known."""

import keras
import numpy as np
import pytest
from keras import layers


@pytest.fixture(scope="module")
def linear_model():
    """A linear model of one layer with weights, and images."""
    keras.utils.set_random_seed(6)
    inputs = keras.Input((6, 6, 1))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs)))
    return model, np.random.default_rng(6).random((3, 6, 6, 1)).astype(np.float32)
