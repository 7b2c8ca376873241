"""Networks of keras_hub: every map adds up; attention is read where it has places."""

import keras
import numpy as np
import pytest
import supported_models
from networks import randomised

from medattn.explain import attention_heads, create_analyzer, run_eagerly

GRIDS = {  # tokens before the patches, and patches
    "ViT": (1, 16),
    "DeiT": (2, 16),
    "DINOV2": (1, 16),
    "CLIP (image tower)": (1, 16),
}
COMPARED = ("BERT (at its embedding)", "MiT", "MobileNet", "SwinTransformer", "ViT")


def inputs_of(model):
    rng = np.random.default_rng(0)
    made = [
        rng.integers(0, 2, (1, 8))
        if "int" in tensor.dtype
        else rng.random((1, *tensor.shape[1:])).astype(np.float32)
        for tensor in model.inputs
    ]
    return made if len(made) > 1 else made[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Layer 'attn':UserWarning")  # Swin's own
@pytest.mark.parametrize("name", supported_models.HUB)
def test_maps_of_keras_hub_add_up(name):
    pytest.importorskip("keras_hub")
    keras.backend.clear_session()
    model = randomised(supported_models.HUB[name]())
    options, x = supported_models.OPTIONS.get(name, {}), inputs_of(model)
    with run_eagerly():
        rules = ("lrp.epsilon", "deep_lift.rescale")
        for rule in rules if name in COMPARED else rules[:1]:
            analyzer = create_analyzer(rule, model, **options)
            maps, audit, _ = analyzer.analyze_and_audit(x)
            assert np.abs(maps).max() > 0
            error = np.abs(audit["error"]) / np.maximum(1, np.abs(audit["logit"]))
            assert (error < 1e-4).all(), (rule, audit)
        if name in GRIDS:
            first, patches = GRIDS[name]
            heads = attention_heads(model, x)
            assert heads.shape == (1, 2, 2, first + patches, first + patches)
            assert create_analyzer("attention.transformer", model).analyze(x).max() > 0
