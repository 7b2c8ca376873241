"""What lessons build on: the U-Net and its gate, written dates, reports of films."""

import keras
import numpy as np
import pytest

from medattn.teaching.dates import LONGEST, WRITTEN, draw_dates, letters
from medattn.teaching.reports import LONGEST as MOST_WORDS
from medattn.teaching.reports import read_words, report_texts, word_numbers
from medattn.teaching.unet import KINDS, SkipGate, dice_loss, unet


def test_a_skip_gate_is_the_papers_formula():
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(2, 4, 4, 3)), rng.normal(size=(2, 4, 4, 5))
    gate = SkipGate(units=2)
    y = keras.ops.convert_to_numpy(gate([x.astype("float32"), g.astype("float32")]))
    W_x, W_g, b, v, c = gate.get_weights()
    hidden = np.maximum(x @ W_x + g @ W_g + b, 0)
    scores = 1 / (1 + np.exp(-(hidden @ v + c)))
    np.testing.assert_allclose(y, x * scores, atol=1e-5)
    again = SkipGate.from_config(gate.get_config())
    assert (
        again.units == 2 and again.compute_output_shape([x.shape, g.shape]) == x.shape
    )


def test_the_loss_of_a_perfect_and_of_an_empty_answer():
    masks = np.zeros((2, 4, 4), "float32")
    masks[:, :2] = 1  # eight pixels each
    logits = np.stack([np.where(masks[0] > 0, 30, -30), np.full((4, 4), -30.0)])
    loss = keras.ops.convert_to_numpy(dice_loss(masks, logits.astype("float32")))
    assert loss[0] == pytest.approx(0, abs=1e-5)
    # 1 - (0 + 1) / (8 + 1), and half of the pixels are wrong by 30 logits; Keras clips
    assert loss[1] > 8 / 9 + 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_u_net_answers_for_each_pixel(kind):
    network = unet(kind, size=32, widths=(4, 4, 4))
    assert network.output_shape == (None, 32, 32)
    has = [type(layer).__name__ for layer in network.layers]
    assert ("SkipGate" in has) == (kind == "gates")
    assert ("MultiHeadSelfAttention" in has) == (kind == "transformer")


def test_an_unknown_u_net_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="Expected one of .*Received: kind='deep'"):
        unet("deep")


def test_the_same_seed_draws_the_same_dates_and_letters_can_be_read_back():
    written, standard = draw_dates(50, seed=3)
    assert (written, standard) == draw_dates(50, seed=3)
    assert any(text[0].isdigit() for text in written)
    assert any(text[0].isalpha() for text in written)
    rows = letters(written, WRITTEN, LONGEST)
    back = "".join(WRITTEN[number] for number in rows[0]).rstrip()
    assert back == written[0] and standard[0][:4] in back
    with pytest.raises(ValueError, match="cannot be numbered"):
        letters(["3 März 2021"], WRITTEN, LONGEST)


def test_a_report_names_the_side_on_which_the_evidence_lies():
    from medattn.data import draw_images

    drawn = draw_images("chest", range(60))
    texts = report_texts(drawn)
    for text, evidence, label in zip(
        texts, drawn["evidence"], drawn["label"], strict=True
    ):
        assert (text == "no effusion") == (label == 0)
        if label and "and" not in text:
            left = evidence[:, :32].sum() / evidence.sum()  # a few may cross the middle
            assert left > 0.8 if text.endswith("left") else left < 0.2
    rows = word_numbers(texts)
    assert rows.shape == (60, MOST_WORDS)
    assert [read_words(row) for row in rows] == texts
    with pytest.raises(ValueError, match="This is no report"):
        word_numbers(["huge effusion left"])
