"""All attention analyzers: batches, half precision, refused models."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from networks import calibrated

from medattn.explain import attention_heads, create_analyzer
from medattn.layers import MultiHeadSelfAttention
from medattn.models import create_model, list_models

TOKENS = ("attention.rollout", "attention.transformer")


@pytest.mark.parametrize("name", TOKENS)
def test_a_map_is_the_same_alone_and_in_a_batch(deit, name):
    model, images, *_ = deit
    analyzer = create_analyzer(name, model)
    batch = analyzer.analyze(images)
    assert batch.shape == images.shape and (batch >= 0).all()
    np.testing.assert_allclose(analyzer.analyze(images[1:2]), batch[1:2], rtol=1e-4)


def test_attention_in_half_precision_is_read():
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
    ("name", "model", "options", "message"),
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
def test_absent_attention_is_refused_with_what_is_present(
    name, model, options, message
):
    with pytest.raises(ValueError, match=r"Expected.*Received: ") as error:
        create_analyzer(name, create_model(model), **options)
    assert message in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in list_models() if "micro" in n])
def test_every_network_is_read_or_refused_by_the_attention_it_has(name):
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
    for method, supported in has.items():
        if not supported:
            with pytest.raises(ValueError, match="no such attention"):
                create_analyzer(method, model)
            continue
        found = create_analyzer(method, model).analyze(images)
        assert found.shape == images.shape and np.isfinite(found).all()
        assert (found >= 0).all() and (found.max(axis=(1, 2, 3)) > 0).any()
