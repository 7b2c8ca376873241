"""Gates: their scores against those of the layers, and as maps."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from networks import uniformly_randomised

from medattn.explain import create_analyzer, gate_maps
from medattn.explain.spatial import upsampled
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
from medattn.models import attach

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
def test_every_gate_gives_the_scores_of_its_kind(block):
    """The scores are those of the gate for its input."""
    inputs = keras.Input((8, 8, 3))
    features = layers.Conv2D(8, 3, padding="same")(inputs)
    gate = block(name="gate")
    model = uniformly_randomised(
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
        found = create_analyzer(f"attention.{kind}_gate", model).analyze(images)
        if kind == "channel":  # the mean weight, weighted by the features
            size = np.abs(x)
            expected = (expected * size).sum(-1, keepdims=True) / size.sum(
                -1, keepdims=True
            )
        np.testing.assert_allclose(
            found.sum(-1), expected[..., 0], rtol=1e-3, atol=1e-5
        )


def test_gates_of_every_stage_are_mapped_one_by_one_or_averaged(trained, drawings):
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


def test_attached_gates_are_read_in_other_models():
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    plain = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    images = np.random.default_rng(4).random((1, 16, 16, 3)).astype(np.float32)
    model = attach(plain, CBAM(2, start="identity"), "conv")
    gate = gate_maps(model, images)["conv_cbam"]
    np.testing.assert_allclose(gate, np.ones((1, 14, 14, 1)), rtol=1e-6)


def test_an_unknown_kind_of_gate_and_wrong_images_are_refused(trained):
    model = trained("cbam_micro_resnet")
    images = np.zeros((1, 64, 64, 3))
    with pytest.raises(ValueError, match="kind='temporal'"):
        gate_maps(model, images, kind="temporal")
    with pytest.raises(ValueError, match=r"Received: \(1, 32, 64, 3\)"):
        gate_maps(model, images[:, :32])
    with pytest.raises(ValueError, match="NaN"):
        gate_maps(model, images * np.nan)
