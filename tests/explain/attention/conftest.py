"""A micro DeiT with random weights, images, and the attention of each block."""

import keras
import numpy as np
import pytest
from networks import uniformly_randomised

from medattn.layers import MultiHeadSelfAttention
from medattn.models import create_model


@pytest.fixture(scope="module")
def deit():
    """A micro DeiT with random weights, images, and each block's attention."""
    model = uniformly_randomised(create_model("micro_deit"))
    images = np.random.default_rng(1).random((3, 64, 64, 3)).astype(np.float32)
    blocks = [x for x in model.layers if isinstance(x, MultiHeadSelfAttention)]
    inputs = keras.Model(model.inputs[0], [b.input for b in blocks])(images)
    scores = [
        np.asarray(block.scores(x)) for block, x in zip(blocks, inputs, strict=True)
    ]
    return model, images, blocks, scores
