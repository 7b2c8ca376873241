"""The lessons' tasks: U-Net and gate, dates, reports and captions, alignment."""

import keras
import numpy as np
import pytest

from medattn.teaching.alignment import WordRegionFit, matching_loss
from medattn.teaching.captions import COLOURS, caption_texts, word_evidence
from medattn.teaching.captions import LONGEST as LONGEST_CAPTION
from medattn.teaching.captions import WORDS as CAPTION_WORDS
from medattn.teaching.dates import LONGEST, WRITTEN, draw_dates, letters
from medattn.teaching.reports import LONGEST as LONGEST_REPORT
from medattn.teaching.reports import read_words, report_texts, word_numbers
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


def test_one_seed_gives_the_same_dates_and_letters_can_be_decoded():
    written, standard = draw_dates(50, seed=3)
    assert (written, standard) == draw_dates(50, seed=3)
    assert any(text[0].isdigit() for text in written)
    assert any(text[0].isalpha() for text in written)
    rows = letters(written, WRITTEN, LONGEST)
    decoded = "".join(WRITTEN[number] for number in rows[0]).rstrip()
    assert decoded == written[0] and standard[0][:4] in decoded
    with pytest.raises(ValueError, match="cannot be encoded"):
        letters(["3 März 2021"], WRITTEN, LONGEST)


def test_a_report_names_the_side_of_the_evidence():
    from medattn.data import draw_images

    synthetic = draw_images("chest", range(60))
    texts = report_texts(synthetic)
    for text, evidence, label in zip(
        texts, synthetic["evidence"], synthetic["label"], strict=True
    ):
        assert (text == "no effusion") == (label == 0)
        if label and "and" not in text:
            left = evidence[:, :32].sum() / evidence.sum()  # a few may cross the middle
            assert left > 0.8 if text.endswith("left") else left < 0.2
    rows = word_numbers(texts)
    assert rows.shape == (60, LONGEST_REPORT)
    assert [read_words(row) for row in rows] == texts
    with pytest.raises(ValueError, match="cannot be encoded"):
        word_numbers(["huge effusion left"])


def test_a_caption_describes_the_image_and_its_words_have_evidence():
    from medattn.data import draw_images

    synthetic = draw_images("dermoscopy", range(40))
    texts = caption_texts(synthetic)
    has_colour = synthetic["params"]["colour_radius"] > 0
    for text, present in zip(texts, has_colour, strict=True):
        assert [c in text.split() for c in COLOURS] == list(present)
    lobed = np.array(["lobed" in text for text in texts])
    changed = word_evidence(synthetic, "lobed").any(axis=(1, 2))
    np.testing.assert_array_equal(lobed, changed)
    coloured = word_evidence(synthetic, "red").any(axis=(1, 2))
    np.testing.assert_array_equal(has_colour.any(axis=1), coloured)
    assert lobed.any() and coloured.any() and not (lobed & coloured).all()
    rows = word_numbers(texts, CAPTION_WORDS, LONGEST_CAPTION)
    assert [read_words(row, CAPTION_WORDS) for row in rows] == texts
    longest = f"lobed mole with {' and '.join(COLOURS)}"
    assert len(longest.split()) + 1 == LONGEST_CAPTION
    with pytest.raises(ValueError, match="describes no evidence.*Received: word='m"):
        word_evidence(synthetic, "mole")


def test_word_region_fit_equals_plain_loops():
    rng = np.random.default_rng(5)
    films, reports = rng.normal(size=(2, 4, 3)), rng.normal(size=(3, 2, 3))
    mask = np.array([[1, 1], [1, 0], [1, 1]])
    layer = WordRegionFit(sharpness=4.0)
    inputs = [films.astype("float32"), reports.astype("float32"), mask > 0]
    found = keras.ops.convert_to_numpy(layer(inputs))
    scores = keras.ops.convert_to_numpy(layer.scores(inputs))
    for i, film in enumerate(films):
        for j, report in enumerate(reports):
            words = []
            for t, word in enumerate(report):
                similar = np.array([word @ region for region in film])
                weight = np.exp(4 * similar) / np.exp(4 * similar).sum()
                np.testing.assert_allclose(scores[i, j, t], weight, atol=1e-5)
                if mask[j, t]:
                    words.append(weight @ similar)
            assert found[i, j] == pytest.approx(10 * np.mean(words), abs=1e-4)
    copy = WordRegionFit.from_config(layer.get_config())
    assert copy.sharpness == 4.0
    assert copy.compute_output_shape([(2, 4, 3), (3, 2, 3), (3, 2)]) == (2, 3)


def test_films_with_the_same_report_divide_the_target():
    fit = np.array([[2.0, 2.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 3.0]], "float32")
    loss = keras.ops.convert_to_numpy(matching_loss(np.array([7, 7, 1]), fit))
    # the first two have half of the target each, with probability e^2 / (2 e^2 + 1)
    same = -np.log(np.exp(2) / (2 * np.exp(2) + 1))
    different = -np.log(np.exp(3) / (np.exp(3) + 2))
    np.testing.assert_allclose(loss, [same, same, different], rtol=1e-5)
    two = keras.ops.convert_to_numpy(matching_loss(np.array([[0], [1]]), fit[:2, 1:]))
    # film 1: e^2 against 1; its report: e^2 against e^2; the mean of both
    assert two[0] == pytest.approx((np.log1p(np.exp(-2)) + np.log(2)) / 2, rel=1e-5)
