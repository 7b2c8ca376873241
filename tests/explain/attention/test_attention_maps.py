"""Attention read from the model: against plain numpy, by hand, and as laws."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from networks import calibrated

from medattn.explain import (
    attention_heads,
    class_token_maps,
    create_analyzer,
    gate_maps,
)
from medattn.explain.spatial import spread, token_grid, upsampled
from medattn.layers import (
    BAM,
    CBAM,
    ChannelAttention,
    CoordinateAttention,
    EfficientChannelAttention,
    GlobalContext,
    MultiHeadSelfAttention,
    SpatialAttention,
    SqueezeExcite,
)
from medattn.models import attach, create_model, list_models

TOKENS = ("attention.rollout", "attention.transformer")


def randomised(model, seed=0):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        positive = weight.path.endswith(("gamma", "moving_variance"))
        low, high = (0.5, 1.5) if positive else (-0.3, 0.3)
        weight.assign(rng.uniform(low, high, weight.shape))
    return model


@pytest.fixture(scope="module")
def deit():
    """A micro DeiT with random weights, images, and each block's attention."""
    model = randomised(create_model("micro_deit"))
    images = np.random.default_rng(1).random((3, 64, 64, 3)).astype(np.float32)
    blocks = [x for x in model.layers if isinstance(x, MultiHeadSelfAttention)]
    inputs = keras.Model(model.inputs[0], [b.input for b in blocks])(images)
    scores = [
        np.asarray(block.scores(x)) for block, x in zip(blocks, inputs, strict=True)
    ]
    return model, images, blocks, scores


def test_heads_are_the_scores_that_the_layers_use(deit):
    model, images, blocks, scores = deit
    heads = attention_heads(model, images)
    assert heads.shape == (3, len(blocks), blocks[0].heads, 65, 65)
    np.testing.assert_allclose(heads, np.stack(scores, 1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(heads.sum(-1), 1, rtol=1e-5)


def test_class_token_maps_are_its_row_enlarged(deit):
    model, images, blocks, scores = deit
    maps = class_token_maps(model, images)
    assert maps.shape == (3, len(blocks), blocks[0].heads, 64, 64)
    patches = scores[1][2, 0, 0, 1:].reshape(8, 8)
    np.testing.assert_allclose(
        maps[2, 1, 0], upsampled(patches[None], (64, 64))[0], rtol=1e-4
    )


def test_rollout_is_the_product_of_attention_plus_identity(deit):
    """Written out token by token: what reaches i from j over all paths of a layer."""
    model, images, _, scores = deit
    total = np.broadcast_to(np.eye(65), (3, 65, 65))
    for each in scores:
        step = np.zeros((3, 65, 65))
        for i in range(65):
            for j in range(65):
                step[:, i, j] = 0.5 * each[:, :, i, j].mean(-1) + 0.5 * (i == j)
        total = np.einsum("bij,bjk->bik", step, total)
    # A law: every token's share of the patches and the class token sums to one.
    np.testing.assert_allclose(total.sum(-1), 1, rtol=1e-5)
    expected = upsampled(total[:, 0, 1:].reshape(3, 8, 8), (64, 64))
    found = create_analyzer("attention.rollout", model).analyze(images)
    np.testing.assert_allclose(found.sum(-1), expected, rtol=1e-3, atol=1e-6)


def test_start_layer_leaves_the_first_ones_out(deit):
    model, images, _, scores = deit
    last = len(scores) - 1
    analyzer = create_analyzer("attention.rollout", model, start_layer=last)
    half = scores[last].mean(1)[:, 0, 1:] / 2
    expected = upsampled(half.reshape(3, 8, 8), (64, 64))
    found = analyzer.analyze(images).sum(-1)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


def logits_with(model, x, blocks, change):
    """Runs the DeiT layer by layer, with `change[i]` added to the i-th attention."""
    values = {}
    for layer in model.operations:
        if isinstance(layer, layers.InputLayer):
            values[layer.output.name] = x
            continue
        if "GetItem" in type(layer).__name__:
            values[layer.output.name] = values[layer.input.name][:, 0]
            continue
        given = keras.tree.map_structure(lambda t: values[t.name], layer.input)
        if layer in blocks:
            scores = layer.scores(given) + change[blocks.index(layer)]
            values[layer.output.name] = layer.mix(given, scores)
        else:
            values[layer.output.name] = layer(given)
    return values[model.outputs[0].name]


def test_transformer_attribution_is_positive_attention_times_gradient_rolled_out(deit):
    """R <- R + E_h[(dA * A)+] R, with dA from differentiating a walk of our own."""
    import tensorflow as tf

    model, images, blocks, scores = deit
    chosen = np.array([1, 0, 1])
    change = [tf.Variable(np.zeros_like(each)) for each in scores]
    with tf.GradientTape() as tape:
        logits = logits_with(model, images, blocks, change)
        logit = tf.reduce_sum(tf.gather(logits, chosen, batch_dims=1))
    np.testing.assert_allclose(logits, model(images), rtol=1e-4, atol=1e-5)
    slopes = tape.gradient(logit, change)
    total = np.broadcast_to(np.eye(65), (3, 65, 65)).copy()
    for a, da in zip(scores, slopes, strict=True):
        total += np.maximum(a * da.numpy(), 0).mean(1) @ total
    expected = upsampled(total[:, 0, 1:].reshape(3, 8, 8), (64, 64))
    analyzer = create_analyzer(
        "attention.transformer", model, neuron_selection_mode="index"
    )
    found = analyzer.analyze(images, chosen)
    scale = expected.max()
    np.testing.assert_allclose(found.sum(-1), expected, rtol=1e-3, atol=1e-4 * scale)
    other = analyzer.analyze(images, 1 - chosen)
    assert np.abs(other - found).max() > 1e-2 * np.abs(found).max()


@pytest.mark.parametrize("name", TOKENS)
def test_a_map_is_the_same_alone_and_in_a_batch(deit, name):
    model, images, *_ = deit
    analyzer = create_analyzer(name, model)
    whole = analyzer.analyze(images)
    assert whole.shape == images.shape and (whole >= 0).all()
    np.testing.assert_allclose(analyzer.analyze(images[1:2]), whole[1:2], rtol=1e-4)


@pytest.mark.slow
def test_attention_is_found_in_nested_models_and_inside_other_layers(deit):
    model, images, *_ = deit

    class Wrapped(layers.Layer):
        def __init__(self, inner, **kwargs):
            super().__init__(**kwargs)
            self.inner = inner

        def call(self, x):
            return self.inner(x)

    inputs = keras.Input((8, 8, 4))
    x = layers.Reshape((64, 4))(inputs)
    attention = MultiHeadSelfAttention(2)
    x = Wrapped(attention)(x)
    small = keras.Model(inputs, layers.Dense(2)(ops.mean(x, axis=1)))
    assert attention_heads(small, images[:, :8, :8, [0, 1, 2, 0]]).shape[1:3] == (1, 2)
    outer = keras.Input((64, 64, 3))
    nested = keras.Model(outer, model(outer))
    np.testing.assert_allclose(
        attention_heads(nested, images), attention_heads(model, images), rtol=1e-5
    )
    with pytest.raises(ValueError, match="no class token"):
        class_token_maps(small, images[:, :8, :8, [0, 1, 2, 0]])


def test_half_precision_is_read_too():
    policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    inputs = keras.Input((8, 8, 4))
    x = layers.Reshape((64, 4), dtype=policy)(inputs)
    x = MultiHeadSelfAttention(2, dtype=policy)(x)
    model = keras.Model(inputs, layers.Dense(2, dtype=policy)(ops.mean(x, axis=1)))
    images = np.random.default_rng(5).random((1, 8, 8, 4)).astype(np.float32)
    np.testing.assert_allclose(attention_heads(model, images).sum(-1), 1, rtol=0.02)
    found = create_analyzer("attention.transformer", model).analyze(images)
    assert found.dtype == np.float32 and np.isfinite(found).all()


@pytest.mark.parametrize(
    ("tokens", "shape", "grid"),
    [
        (65, (64, 64), (1, 8, 8)),
        (64, (64, 64), (0, 8, 8)),
        (197, (224, 224), (1, 14, 14)),
        (33, (32, 64), (1, 4, 8)),
        (50, (64, 64), None),
        (66, (64, 64), None),
    ],
)
def test_patches_are_found_among_tokens(tokens, shape, grid):
    assert token_grid(tokens, shape) == grid


def test_spreading_over_channels_keeps_the_sum_and_enlarging_the_level():
    maps = np.random.default_rng(2).random((2, 3, 4)).astype(np.float32)
    images = np.zeros((2, 3, 4, 5))
    np.testing.assert_allclose(spread(maps, images).sum(-1), maps, rtol=1e-6)
    np.testing.assert_allclose(upsampled(np.ones((1, 2, 2)), (6, 6)), 1, rtol=1e-6)
    # Two columns 0 and 1 enlarged to four: centres at 1/4 and 3/4 of the way.
    ramp = upsampled(np.float32([[[0, 1]]]), (1, 4))[0, 0]
    np.testing.assert_allclose(ramp, [0, 0.25, 0.75, 1], atol=1e-6)


GATES = {
    BAM: ("spatial", "channel"),
    CBAM: ("spatial", "channel"),
    ChannelAttention: ("channel",),
    CoordinateAttention: ("spatial", "channel"),
    EfficientChannelAttention: ("channel",),
    GlobalContext: ("spatial",),
    SpatialAttention: ("spatial",),
    SqueezeExcite: ("channel",),
}


@pytest.mark.parametrize("block", GATES, ids=lambda block: block.__name__)
def test_every_gate_is_read_as_what_it_weighs(block):
    """The scores are what the gate says of what comes into it."""
    inputs = keras.Input((8, 8, 3))
    features = layers.Conv2D(8, 3, padding="same")(inputs)
    gate = block(name="gate")
    model = randomised(
        keras.Model(inputs, layers.Dense(2)(ops.mean(gate(features), (1, 2))))
    )
    images = np.random.default_rng(3).random((2, 8, 8, 3)).astype(np.float32)
    x = keras.Model(inputs, features)(images)
    scores = np.asarray(gate.scores(x))
    for kind in ("spatial", "channel"):
        if kind not in GATES[block]:
            with pytest.raises(ValueError, match=rf"gate.*{block.__name__}"):
                gate_maps(model, images, kind=kind)
            continue
        found = gate_maps(model, images, kind=kind)["gate"]
        expected = scores.mean(axis=-1 if kind == "spatial" else (1, 2), keepdims=True)
        if block is CBAM:
            part = gate.channel.scores(x)
            if kind == "spatial":
                part = gate.spatial.scores(x * part)
            expected = np.asarray(part)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
        drawn = create_analyzer(f"attention.{kind}_gate", model).analyze(images)
        if kind == "channel":  # the mean weight, weighted by the features
            size = np.abs(x)
            expected = (expected * size).sum(-1, keepdims=True) / size.sum(
                -1, keepdims=True
            )
        np.testing.assert_allclose(
            drawn.sum(-1), expected[..., 0], rtol=1e-3, atol=1e-5
        )


def test_gates_of_every_stage_are_drawn_one_by_one_or_in_the_mean(trained, drawings):
    model, images = trained("cbam_micro_resnet"), drawings["image"][:2]
    maps = gate_maps(model, images)
    sides = {"conv2_block1_cbam": 16, "conv3_block1_cbam": 8, "conv4_block1_cbam": 4}
    assert {name: each.shape for name, each in maps.items()} == {
        name: (2, side, side, 1) for name, side in sides.items()
    }
    single = []
    for name in sides:
        one = create_analyzer("attention.spatial_gate", model, layer=name)
        single.append(one.analyze(images).sum(-1))
        expected = upsampled(maps[name][..., 0], (64, 64))
        np.testing.assert_allclose(single[-1], expected, rtol=1e-4, atol=1e-6)
    mean = create_analyzer("attention.spatial_gate", model).analyze(images).sum(-1)
    np.testing.assert_allclose(mean, np.mean(single, 0), rtol=1e-4)


def test_attached_gates_are_read_in_other_peoples_models():
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    plain = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    images = np.random.default_rng(4).random((1, 16, 16, 3)).astype(np.float32)
    model = attach(plain, CBAM(2, start="identity"), "conv")
    gate = gate_maps(model, images)["conv_cbam"]
    np.testing.assert_allclose(gate, np.ones((1, 14, 14, 1)), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "model", "options", "told"),
    [
        ("attention.rollout", "cbam_micro_resnet", {}, "'CBAM'"),
        ("attention.transformer", "micro_resnet", {}, "none at all"),
        ("attention.spatial_gate", "se_micro_resnet", {}, "'SqueezeExcite'"),
        ("attention.channel_gate", "micro_deit", {}, "'MultiHeadSelfAttention'"),
        ("attention.channel_gate", "se_micro_resnet", {"layer": "x"}, "layer='x'"),
        ("attention.rollout", "micro_deit", {"start_layer": 3}, "start_layer=3"),
        ("attention.rollout", "micro_deit", {"start_layer": True}, "start_layer=True"),
    ],
)
def test_what_cannot_be_read_is_refused_by_what_is_there(name, model, options, told):
    with pytest.raises(ValueError, match=r"Expected.*Received: ") as error:
        create_analyzer(name, create_model(model), **options)
    assert told in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in list_models() if "micro" in n])
def test_every_network_is_read_by_what_it_has_and_refused_for_the_rest(name):
    model = calibrated(create_model(name))
    images = np.random.default_rng(6).random((2, 64, 64, 3)).astype(np.float32)
    has = {
        "attention.rollout": "deit" in name,
        "attention.transformer": "deit" in name,
        "attention.spatial_gate": name.startswith("cbam"),
        "attention.channel_gate": name.startswith(("se", "cbam")),
        "gradcam": True,
        "layercam": True,
    }
    for method, can in has.items():
        if not can:
            with pytest.raises(ValueError, match="no such attention"):
                create_analyzer(method, model)
            continue
        found = create_analyzer(method, model).analyze(images)
        assert found.shape == images.shape and np.isfinite(found).all()
        assert (found >= 0).all() and (found.max(axis=(1, 2, 3)) > 0).any()


def test_unknown_kind_of_gate_and_bad_images_are_refused(trained):
    model = trained("cbam_micro_resnet")
    images = np.zeros((1, 64, 64, 3))
    with pytest.raises(ValueError, match="kind='temporal'"):
        gate_maps(model, images, kind="temporal")
    with pytest.raises(ValueError, match=r"Received: \(1, 32, 64, 3\)"):
        gate_maps(model, images[:, :32])
    with pytest.raises(ValueError, match="NaN"):
        gate_maps(model, images * np.nan)
