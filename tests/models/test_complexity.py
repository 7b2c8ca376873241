"""Cost: worked by hand, and against published figures."""

import keras
import numpy as np
import pytest
from keras import layers

from medattn.layers import CBAM, MultiHeadSelfAttention, SqueezeExcite
from medattn.models import complexity, create_model


def test_a_small_network_by_hand():
    """Conv: 6 x 6 positions x 3 x 3 x 2 x 4. SE: 4 x 2 + 2 x 4. Head: 4 x 3."""
    inputs = keras.Input((8, 8, 2))
    x = layers.Conv2D(4, 3)(inputs)
    x = SqueezeExcite(2)(x)
    x = layers.GlobalAveragePooling2D()(x)
    cost = complexity(keras.Model(inputs, layers.Dense(3)(x)))
    assert cost["parameters"] == {
        "trunk": 3 * 3 * 2 * 4 + 4,
        "attention": 16,
        "head": 15,
        "total": 107,
    }
    assert cost["multiply_adds"] == {
        "trunk": 36 * 72,
        "attention": 16,
        "head": 12,
        "total": 36 * 72 + 28,
    }
    # Conv and gate 6 x 6 x 4 each, pooled 4, logits 3; the input is not stored.
    assert cost["activation_bytes"] == 4 * (144 + 144 + 4 + 3)
    assert cost["latency"] is None


def test_cbam_and_self_attention_by_hand():
    inputs = keras.Input((5, 5, 8))
    cost = complexity(keras.Model(inputs, layers.Flatten()(CBAM(4, 3)(inputs))))
    # The MLP twice (mean, maximum) 2 x 8 x 2 each; a window 3 x 3 x 2 at 25 positions.
    assert cost["multiply_adds"]["attention"] == 2 * 32 + 25 * 18
    inputs = keras.Input((6, 12))
    attended = MultiHeadSelfAttention(3)(inputs)
    cost = complexity(keras.Model(inputs, layers.Flatten()(attended)))
    # Four maps 12 x 12 at 6 tokens; queries by keys and scores by values 6 x 6 x 12.
    assert cost["multiply_adds"]["attention"] == 4 * 6 * 144 + 2 * 6 * 6 * 12


@pytest.mark.parametrize(
    ("name", "options", "published"),
    [
        ("resnet50", {}, 4.09e9),
        ("densenet121", {"pooling": "avg"}, 2.83e9),
        ("deit_tiny", {}, 1.26e9),
    ],
)
def test_multiply_adds_are_the_published_ones(name, options, published):
    """torchvision's and timm's figures, for 1000 classes at 224 x 224."""
    cost = complexity(create_model(name, num_classes=1000, **options))
    assert cost["multiply_adds"]["total"] == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize("block", ["se", "cbam"])
def test_attention_adds_parameters_and_few_multiply_adds(block):
    plain, attended = (
        complexity(create_model(name)) for name in ("resnet50", f"{block}_resnet50")
    )
    assert attended["parameters"]["trunk"] == plain["parameters"]["trunk"]
    added = {"se": 2_514_944, "cbam": 2_514_944 + 17_648}[block]
    assert attended["parameters"]["attention"] == added
    added = attended["multiply_adds"]["attention"]
    assert 0 < added / plain["multiply_adds"]["total"] < 0.01


def test_latency_is_measured_if_rounds_are_given():
    cost = complexity(create_model("micro_resnet"), rounds=3)
    assert 0 < cost["latency"] < 10


def test_an_unknown_size_and_a_subclassed_model_are_refused():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(inputs))
    with pytest.raises(ValueError, match="fixed input shape"):
        complexity(model)

    class Mine(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="Received: Mine"):
        complexity(Mine())


def test_counting_leaves_the_model_as_it_was():
    model = create_model("cbam_micro_resnet")
    images = np.random.default_rng(0).random((1, 64, 64, 3)).astype(np.float32)
    before = np.asarray(model(images))
    complexity(model)
    np.testing.assert_array_equal(np.asarray(model(images)), before)
