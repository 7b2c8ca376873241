"""The U-Net of the lessons: attention gate, loss, output of each pixel."""

import keras
import numpy as np
import pytest

from medattn.teaching.unet import KINDS, SkipGate, dice_loss, unet


def test_skip_gate_equals_the_formula_of_the_paper():
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(2, 4, 4, 3)), rng.normal(size=(2, 4, 4, 5))
    gate = SkipGate(units=2)
    y = keras.ops.convert_to_numpy(gate([x.astype("float32"), g.astype("float32")]))
    W_x, W_g, b, v, c = gate.get_weights()
    hidden = np.maximum(x @ W_x + g @ W_g + b, 0)
    scores = 1 / (1 + np.exp(-(hidden @ v + c)))
    np.testing.assert_allclose(y, x * scores, atol=1e-5)
    copy = SkipGate.from_config(gate.get_config())
    assert copy.units == 2
    assert copy.compute_output_shape([x.shape, g.shape]) == x.shape


def test_dice_loss_of_a_perfect_and_of_an_empty_prediction():
    masks = np.zeros((2, 4, 4), "float32")
    masks[:, :2] = 1  # eight pixels each
    logits = np.stack([np.where(masks[0] > 0, 30, -30), np.full((4, 4), -30.0)])
    loss = keras.ops.convert_to_numpy(dice_loss(masks, logits.astype("float32")))
    assert loss[0] == pytest.approx(0, abs=1e-5)
    # 1 - (0 + 1) / (8 + 1), and half of the pixels are wrong by 30 logits; Keras clips
    assert loss[1] > 8 / 9 + 5


@pytest.mark.parametrize("kind", KINDS)
def test_unet_predicts_each_pixel(kind):
    network = unet(kind, size=32, widths=(4, 4, 4))
    assert network.output_shape == (None, 32, 32)
    layers = [type(layer).__name__ for layer in network.layers]
    assert ("SkipGate" in layers) == (kind == "gates")
    assert ("MultiHeadSelfAttention" in layers) == (kind == "transformer")


def test_an_unknown_unet_raises_an_error_with_the_known_ones():
    with pytest.raises(ValueError, match="Expected one of .*Received: kind='deep'"):
        unet("deep")
