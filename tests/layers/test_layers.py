"""Image gates: numbers by hand, identity starts, and refused inputs."""

import keras
import numpy as np
import pytest

from medattn.layers import (
    BAM,
    CBAM,
    ChannelAttention,
    CoordinateAttention,
    EfficientChannelAttention,
    GlobalContext,
    SpatialAttention,
    SqueezeExcite,
)

GATES = {
    "se": SqueezeExcite,
    "channel": ChannelAttention,
    "spatial": SpatialAttention,
    "cbam": CBAM,
    "eca": EfficientChannelAttention,
    "bam": BAM,
    "global_context": GlobalContext,
    "coordinate": CoordinateAttention,
}


def features(seed=0, shape=(2, 6, 5, 8)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_squeeze_excite_by_hand():
    """Means (2, 0), one hidden unit of 2, gates sigmoid(2) and sigmoid(-2)."""
    x = np.zeros((1, 1, 2, 2), np.float32)
    x[..., 0] = [[1, 3]]
    layer = SqueezeExcite(2)
    layer.build(x.shape)
    layer.reduce.kernel.assign([[1.0], [5.0]])
    layer.expand.kernel.assign([[1.0, -1.0]])
    np.testing.assert_allclose(
        layer.scores(x)[0, 0, 0], [0.880797, 0.119203], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("channels", "size"), [(8, 3), (31, 3), (64, 3), (255, 5), (256, 5), (2048, 7)]
)
def test_the_window_of_efficient_attention_grows_with_the_channels(channels, size):
    layer = EfficientChannelAttention()
    layer.build((None, 4, 4, channels))
    assert layer.conv.kernel.shape[0] == size


@pytest.mark.parametrize("name", GATES)
def test_an_identity_start_changes_nothing_at_first(name):
    x = features()
    layer = GATES[name](start="identity")
    np.testing.assert_allclose(layer(x), x, atol=1e-6)
    if name != "global_context":  # it adds, and its scores sum to one
        np.testing.assert_allclose(layer.scores(x), 1, atol=1e-6)
    assert np.abs(np.asarray(GATES[name]()(x)) - x).max() > 0.1  # the paper's does


@pytest.mark.parametrize("name", GATES)
def test_an_identity_start_still_learns(name):
    """Trained to double its input, the block increases it."""
    keras.utils.set_random_seed(0)
    x = np.abs(features(shape=(8, 6, 5, 8)))
    layer = GATES[name](start="identity")
    model = keras.Sequential([keras.Input((6, 5, 8)), layer])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    model.fit(x, 2 * x, epochs=20, verbose=0)
    assert np.mean(layer(x)) > 1.1 * np.mean(x)


def test_an_unknown_start_is_refused():
    with pytest.raises(ValueError, match="'paper', 'identity'.*Received: start='one'"):
        SqueezeExcite(start="one")


@pytest.mark.parametrize("make", [SqueezeExcite, ChannelAttention])
def test_a_ratio_below_one_is_refused(make):
    with pytest.raises(ValueError, match=r"ratio >= 1\. Received: ratio=0"):
        make(0)


def test_an_even_window_is_refused():
    with pytest.raises(ValueError, match="odd kernel_size"):
        SpatialAttention(4)


@pytest.mark.parametrize("name", GATES)
def test_a_flat_input_is_refused(name):
    with pytest.raises(ValueError, match="height, width, channels"):
        GATES[name]()(np.zeros((2, 8), np.float32))
