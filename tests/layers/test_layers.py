"""Attention layers against plain numpy, and one contract for all of them."""

import subprocess
import sys

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

LAYERS = {
    "se": lambda: SqueezeExcite(4),
    "se_bias": lambda: SqueezeExcite(2, use_bias=True),
    "channel": lambda: ChannelAttention(4),
    "spatial": lambda: SpatialAttention(3),
    "cbam": lambda: CBAM(4, kernel_size=5),
    "eca": lambda: EfficientChannelAttention(),
    "bam": lambda: BAM(4, dilation=2),
    "global_context": lambda: GlobalContext(4),
    "coordinate": lambda: CoordinateAttention(4),
    "se_identity": lambda: SqueezeExcite(4, start="identity"),
    "cbam_identity": lambda: CBAM(4, kernel_size=5, start="identity"),
}
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
# What a layer does with its scores, where it does not just multiply.
MIX = {
    "bam": lambda layer, x, scores: x + x * scores,
    "global_context": lambda layer, x, scores: layer.mix(x, scores),
}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def features(seed=0, shape=(2, 6, 5, 8)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def randomised(layer, x):
    """Builds a layer and fills every weight, so that no zero hides a mistake."""
    if not layer.built:
        layer.build(x.shape)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        low = 0.5 if weight.path.endswith(("gamma", "moving_variance")) else -1
        weight.assign(rng.uniform(low, 1.5, weight.shape))
    return layer


def numpy_se(layer, x):
    """Squeeze-and-Excitation, equations 2 to 4."""
    z = x.mean((1, 2))
    w1, w2 = layer.reduce.kernel.numpy(), layer.expand.kernel.numpy()
    b1 = layer.reduce.bias.numpy() if layer.use_bias else 0
    b2 = layer.expand.bias.numpy() if layer.use_bias else 0
    return sigmoid(np.maximum(z @ w1 + b1, 0) @ w2 + b2)[:, None, None]


def numpy_channel(layer, x):
    """CBAM, equation 2."""

    def mlp(z):
        hidden = np.maximum(
            z @ layer.reduce.kernel.numpy() + layer.reduce.bias.numpy(), 0
        )
        return hidden @ layer.expand.kernel.numpy() + layer.expand.bias.numpy()

    return sigmoid(mlp(x.mean((1, 2))) + mlp(x.max((1, 2))))[:, None, None]


def numpy_spatial(layer, x):
    """CBAM, equation 3, with the window slid by hand."""
    pooled = np.stack([x.max(-1), x.mean(-1)], -1)
    side = layer.kernel_size
    padded = np.pad(pooled, ((0, 0), (side // 2,) * 2, (side // 2,) * 2, (0, 0)))
    kernel = layer.conv.kernel.numpy()[..., 0]
    z = np.zeros(x.shape[:3])
    for row in range(x.shape[1]):
        for column in range(x.shape[2]):
            window = padded[:, row : row + side, column : column + side]
            z[:, row, column] = (window * kernel).sum((1, 2, 3))
    norm = layer.norm
    mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
    z = (z - mean) / np.sqrt(variance + 1e-5) * norm.gamma.numpy() + norm.beta.numpy()
    return sigmoid(z)[..., None]


def test_squeeze_excite_equals_the_paper():
    x = features()
    for make in (LAYERS["se"], LAYERS["se_bias"]):
        layer = randomised(make(), x)
        scores = numpy_se(layer, x)
        np.testing.assert_allclose(layer.scores(x), scores, rtol=1e-5)
        np.testing.assert_allclose(layer(x), x * scores, rtol=1e-5, atol=1e-6)


def test_channel_attention_equals_the_paper():
    x = features()
    layer = randomised(ChannelAttention(4), x)
    np.testing.assert_allclose(layer.scores(x), numpy_channel(layer, x), rtol=1e-5)


def test_spatial_attention_equals_the_paper():
    x = features()
    layer = randomised(SpatialAttention(3), x)
    np.testing.assert_allclose(
        layer.scores(x), numpy_spatial(layer, x), rtol=1e-4, atol=1e-6
    )


def test_cbam_gates_channels_then_places():
    x = features()
    layer = randomised(CBAM(4, kernel_size=3), x)
    channel = numpy_channel(layer.channel, x)
    spatial = numpy_spatial(layer.spatial, x * channel)
    np.testing.assert_allclose(layer(x), x * channel * spatial, rtol=1e-4, atol=1e-5)


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


def test_efficient_channel_attention_equals_the_paper():
    """Eight channels: k = |3 / 2 + 1 / 2| = 2, made odd: 3."""
    x = features()
    layer = randomised(EfficientChannelAttention(), x)
    kernel = layer.conv.kernel.numpy().ravel()
    assert kernel.shape == (3,)
    means = np.pad(x.mean((1, 2)), ((0, 0), (1, 1)))
    z = sum(kernel[k] * means[:, k : k + 8] for k in range(3))
    np.testing.assert_allclose(layer.scores(x), sigmoid(z)[:, None, None], rtol=1e-5)


@pytest.mark.parametrize(
    ("channels", "size"), [(8, 3), (31, 3), (64, 3), (255, 5), (256, 5), (2048, 7)]
)
def test_the_window_of_efficient_attention_grows_with_the_channels(channels, size):
    layer = EfficientChannelAttention()
    layer.build((None, 4, 4, channels))
    assert layer.conv.kernel.shape[0] == size


def test_global_context_equals_the_paper():
    x = features()
    layer = randomised(GlobalContext(2), x)
    places = x.reshape(2, 30, 8)
    fit = places @ layer.key.kernel.numpy()
    scores = np.exp(fit) / np.exp(fit).sum(1, keepdims=True)
    context = (places * scores).sum(1)
    z = context @ layer.reduce.kernel.numpy() + layer.reduce.bias.numpy()
    z = (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-5)
    z = z * layer.norm.gamma.numpy() + layer.norm.beta.numpy()
    added = np.maximum(z, 0) @ layer.expand.kernel.numpy() + layer.expand.bias.numpy()
    np.testing.assert_allclose(
        np.reshape(layer.scores(x), (2, 30, 1)), scores, rtol=1e-4
    )
    np.testing.assert_allclose(layer(x), x + added[:, None, None], rtol=1e-3, atol=1e-4)


def normed(layer, z):
    """A batch norm in inference."""
    mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    scale = layer.gamma.numpy() / np.sqrt(variance + 1e-5)
    return (z - mean) * scale + layer.beta.numpy()


def test_coordinate_attention_equals_the_paper():
    x = features()
    layer = randomised(CoordinateAttention(4), x)

    def dense(part, z):
        return z @ part.kernel.numpy() + (part.bias.numpy() if part.use_bias else 0)

    def gate(part, means):
        z = normed(layer.norm, dense(layer.squeeze, means))
        return sigmoid(dense(part, z * np.clip(z + 3, 0, 6) / 6))

    by_row, by_column = gate(layer.rows, x.mean(2)), gate(layer.columns, x.mean(1))
    expected = by_row[:, :, None] * by_column[:, None]
    np.testing.assert_allclose(layer.scores(x), expected, rtol=1e-4, atol=1e-6)


def test_bam_equals_the_paper():
    """With a dilation of 2, slid by hand."""
    x = features()
    layer = randomised(BAM(4, dilation=2), x)

    def conv(part, z):
        kernel = part.kernel.numpy()
        bias = part.bias.numpy() if part.use_bias else 0
        if kernel.shape[0] == 1:
            return z @ kernel[0, 0] + bias
        padded = np.pad(z, ((0, 0), (2, 2), (2, 2), (0, 0)))
        rows, columns = z.shape[1:3]
        return bias + sum(
            padded[:, 2 * r : 2 * r + rows, 2 * c : 2 * c + columns] @ kernel[r, c]
            for r in range(3)
            for c in range(3)
        )

    hidden = np.maximum(conv(layer.narrow, x), 0)
    hidden = np.maximum(conv(layer.look1, hidden), 0)
    hidden = np.maximum(conv(layer.look2, hidden), 0)
    spatial = normed(layer.spatial_norm, conv(layer.place, hidden))
    z = x.mean((1, 2)) @ layer.reduce.kernel.numpy() + layer.reduce.bias.numpy()
    z = np.maximum(z, 0) @ layer.expand.kernel.numpy()
    channel = normed(layer.channel_norm, z)[:, None, None]
    scores = sigmoid(channel + spatial)
    np.testing.assert_allclose(layer.scores(x), scores, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(layer(x), x + x * scores, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_scores_are_bounded_and_are_what_call_uses(name):
    x = features()
    layer = randomised(LAYERS[name](), x)
    scores = np.asarray(layer.scores(x))
    most = 1 if layer.start == "paper" else 4  # two gates of at most 2 each in CBAM
    assert scores.min() >= 0 and scores.max() <= most
    mix = MIX.get(name, lambda layer, x, scores: x * scores)
    np.testing.assert_allclose(layer(x), mix(layer, x, scores), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", GATES)
def test_an_identity_start_changes_nothing_at_first(name):
    x = features()
    layer = GATES[name](start="identity")
    np.testing.assert_allclose(layer(x), x, atol=1e-6)
    if name != "global_context":  # adds, and its scores sum to one
        np.testing.assert_allclose(layer.scores(x), 1, atol=1e-6)
    assert np.abs(np.asarray(GATES[name]()(x)) - x).max() > 0.1  # the paper's does


@pytest.mark.parametrize("name", GATES)
def test_an_identity_start_still_learns(name):
    """Asked to double its input, the block begins to."""
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


@pytest.mark.parametrize("name", LAYERS)
def test_config_makes_the_same_layer(name):
    layer = LAYERS[name]()
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("name", LAYERS)
def test_symbolic_shape_is_the_eager_shape_and_size_may_be_unknown(name):
    layer = LAYERS[name]()
    inputs = keras.Input((None, None, 8))
    outputs = layer(inputs)
    assert outputs.shape == (None, None, None, 8)
    model = keras.Model(inputs, outputs)
    for size in (4, 7):
        assert model(features(shape=(1, size, size, 8))).shape == (1, size, size, 8)


@pytest.mark.parametrize("name", LAYERS)
def test_half_precision_reaches_the_sublayers(name):
    layer = LAYERS[name]()
    layer = type(layer).from_config({**layer.get_config(), "dtype": "mixed_float16"})
    outputs = layer(features())
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    assert all(
        part.compute_dtype == "float16"
        for part in layer._flatten_layers()
        if part.weights
    )


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_one_training_step_moves_every_weight(name, jit_compile):
    keras.utils.set_random_seed(3)
    layer = LAYERS[name]()
    model = keras.Sequential(
        [keras.Input((6, 5, 8)), layer, keras.layers.GlobalAveragePooling2D()]
    )
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=jit_compile)
    randomised(layer, features())
    before = [weight.numpy().copy() for weight in layer.trainable_weights]
    model.fit(features(shape=(8, 6, 5, 8)), features(4, (8, 8)), verbose=0)
    for weight, old in zip(layer.trainable_weights, before, strict=True):
        assert np.isfinite(weight.numpy()).all()
        assert not np.array_equal(weight.numpy(), old), f"{weight.path} did not move"


def test_saved_layers_load_in_a_fresh_process(tmp_path):
    """A process that imported nothing but medattn.layers reads a model of all."""
    x = features(shape=(1, 6, 6, 8))
    inputs = keras.Input((6, 6, 8))
    outputs = inputs
    for make in LAYERS.values():
        outputs = randomised(make(), x)(outputs)
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "all.keras")
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, numpy as np, keras, medattn.layers\n"
        "folder = sys.argv[1]\n"
        "model = keras.models.load_model(folder + '/all.keras')\n"
        "np.save(folder + '/y.npy', model(np.load(folder + '/x.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model(x), rtol=1e-6)


@pytest.mark.parametrize("make", [SqueezeExcite, ChannelAttention])
def test_a_ratio_below_one_is_refused(make):
    with pytest.raises(ValueError, match=r"ratio >= 1\. Received: ratio=0"):
        make(0)


def test_an_even_window_is_refused():
    with pytest.raises(ValueError, match="odd kernel_size"):
        SpatialAttention(4)


@pytest.mark.parametrize("name", LAYERS)
def test_a_flat_input_is_refused(name):
    with pytest.raises(ValueError, match="height, width, channels"):
        LAYERS[name]()(np.zeros((2, 8), np.float32))


def test_channels_first_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="channels last"):
            SqueezeExcite()
    finally:
        keras.config.set_image_data_format("channels_last")
