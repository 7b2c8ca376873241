"""Sequence attentions: numbers by hand, laws, masks, and what they refuse."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contract import CASES, inputs_of, randomised

from medattn.layers import (
    BahdanauAttention,
    HardAttention,
    LuongAttention,
    LuongLocalAttention,
    SoftAttention,
)

SEQUENCES = [name for name, case in CASES.items() if len(case.shapes) == 2]


def draw(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_luong_dot_by_hand():
    """Fits 0 and ln 3: a quarter of the first value, three quarters of the second."""
    query = np.array([[[1, 0]]], np.float32)
    values = np.array([[[0, 8], [np.log(3), 4]]], np.float32)
    layer = LuongAttention("dot")
    np.testing.assert_allclose(layer.scores([query, values])[0, 0], [0.25, 0.75])
    np.testing.assert_allclose(layer([query, values])[0, 0, 1], 5, rtol=1e-6)


def test_bahdanau_by_hand():
    """Hidden units tanh(1) and tanh(-1), weighed by 2: fits 1.523 and -1.523."""
    layer = BahdanauAttention(1)
    query, values = np.zeros((1, 1, 2), np.float32), np.zeros((1, 2, 1), np.float32)
    values[0, :, 0] = 1, -1
    layer.build([query.shape, values.shape])
    layer.key.kernel.assign([[1.0]])
    layer.vector.kernel.assign([[2.0]])
    np.testing.assert_allclose(
        layer.scores([query, values])[0, 0], [0.954626, 0.045374], rtol=1e-4
    )


def test_a_monotonic_window_by_hand():
    """Equal fits, D = 1: query t shares among the values t - 1, t and t + 1."""
    values = np.ones((1, 4, 2), np.float32)
    scores = LuongLocalAttention(1, "monotonic", "dot").scores([values, values])
    third = 1 / 3
    expected = [
        [0.5, 0.5, 0, 0],
        [third, third, third, 0],
        [0, third, third, third],
        [0, 0, 0.5, 0.5],
    ]
    np.testing.assert_allclose(scores[0], expected, rtol=1e-6)


def test_a_predicted_window_by_hand():
    """p = 4 sigmoid(0) = 2, D = 2, sigma = 1: quarters under a bell around place 2."""
    values = np.ones((1, 4, 2), np.float32)
    layer = LuongLocalAttention(2, "predicted", "dot")
    layer.build([values.shape, values.shape])
    layer.place.kernel.assign(np.zeros((2, 1)))
    bell = np.array([0.135335, 0.606531, 1, 0.606531])  # exp(-2), exp(-1/2), ...
    np.testing.assert_allclose(
        layer.scores([values, values])[0], [bell / 4] * 4, rtol=1e-5
    )


def test_a_window_beyond_the_values_answers_nothing():
    """The fifth query looks for values 3 to 5, where there are 3."""
    query, values = np.ones((1, 5, 2), np.float32), np.ones((1, 3, 2), np.float32)
    outputs = LuongLocalAttention(1, "monotonic", "dot")([query, values])
    np.testing.assert_allclose(outputs[0, :, 0], [1, 1, 1, 1, 0], rtol=1e-6)


def test_a_wide_monotonic_window_sees_what_global_attention_sees():
    inputs = [draw(0, 2, 3, 4), draw(1, 2, 5, 6)]
    local = randomised(LuongLocalAttention(9, "monotonic"), inputs)
    everywhere = randomised(LuongAttention(), inputs)
    np.testing.assert_allclose(local(inputs), everywhere(inputs), rtol=1e-5)


@pytest.mark.parametrize("name", SEQUENCES)
def test_hiding_the_last_values_is_leaving_them_out(name):
    case = CASES[name]
    query, values = inputs_of(case)
    layer = randomised(case.make(), [query, values])
    hidden = np.array([[True, True, True, False, False]] * 2)
    np.testing.assert_allclose(
        layer([query, values], mask=[None, hidden]),
        layer([query, values[:, :3]]),
        rtol=1e-4,
        atol=1e-6,
    )
    scores = np.asarray(layer.scores([query, values], mask=[None, hidden]))
    assert (scores[..., 3:] == 0).all()


@pytest.mark.parametrize("name", SEQUENCES)
def test_hidden_queries_and_empty_sequences_are_answered_with_zeros(name):
    case = CASES[name]
    query, values = inputs_of(case)
    layer = randomised(case.make(), [query, values])
    asked = np.array([[True, False, True]] * 2)
    shown = np.array([[True] * 5, [False] * 5])
    outputs = np.asarray(layer([query, values], mask=[asked, shown]))
    assert (outputs[:, 1] == 0).all() and (outputs[1] == 0).all()
    assert np.abs(outputs[0, 0]).max() > 1e-3
    assert layer.compute_mask([query, values], [asked, shown]) is asked


def test_the_masks_of_an_embedding_arrive_by_themselves():
    embed = keras.layers.Embedding(9, 4, mask_zero=True)
    words = [keras.Input((None,), dtype="int32") for _ in range(2)]
    attend = LuongAttention("dot")
    model = keras.Model(words, attend([embed(word) for word in words]))
    longer = model([np.array([[3, 5]]), np.array([[1, 2, 0, 0]])])
    np.testing.assert_allclose(
        longer, model([np.array([[3, 5]]), np.array([[1, 2]])]), rtol=1e-5
    )


def test_additive_attention_of_keras_is_bahdanaus_with_identity_maps():
    inputs = [draw(0, 2, 3, 4), draw(1, 2, 5, 4)]
    theirs, ours = keras.layers.AdditiveAttention(), BahdanauAttention(4)
    mask = [None, np.array([[True] * 4 + [False]] * 2)]
    expected = theirs(inputs, mask=mask)
    ours.build([x.shape for x in inputs])
    ours.query.kernel.assign(np.eye(4))
    ours.key.kernel.assign(np.eye(4))
    ours.vector.kernel.assign(draw(2, 4, 1))
    theirs.scale.assign(ours.vector.kernel[:, 0])
    expected = theirs(inputs, mask=mask)
    np.testing.assert_allclose(ours(inputs, mask=mask), expected, rtol=1e-4, atol=1e-6)


def test_hard_attention_draws_places_by_their_chances():
    """20,000 draws of one query: every share within four standard errors."""
    layer = HardAttention(seed=0)
    query = np.repeat(draw(0, 1, 1, 4), 20_000, axis=1)
    inputs = [query, np.eye(5, dtype=np.float32)[None]]
    randomised(layer, inputs)
    chances = np.asarray(layer.scores(inputs))[0, 0]
    drawn = np.asarray(layer(inputs, training=True))[0]
    assert set(np.unique(drawn)) == {0, 1} and (drawn.sum(-1) == 1).all()
    error = np.sqrt(chances * (1 - chances) / 20_000)
    assert (np.abs(drawn.mean(0) - chances) < 4 * error).all()
    assert chances.min() > 0.01  # all places are drawn


def test_hard_attention_sees_the_likeliest_place_or_the_one_given():
    inputs = [draw(0, 2, 3, 4), draw(1, 2, 5, 6)]
    layer = randomised(HardAttention(), inputs)
    best = np.asarray(layer.scores(inputs)).argmax(-1)
    for b in range(2):
        np.testing.assert_array_equal(layer(inputs)[b], inputs[1][b][best[b]])
    given = np.zeros((2, 3, 5), np.float32)
    given[..., 4] = 1
    for training in (False, True):
        outputs = layer.mix(inputs, given, training=training)
        np.testing.assert_array_equal(outputs, np.repeat(inputs[1][:, 4:], 3, 1))


def test_the_gradient_of_hard_attention_is_that_of_soft():
    """Straight-through: the weights of the fit learn as if from the expectation."""
    inputs = [draw(0, 2, 3, 4), draw(1, 2, 5, 6)]
    slopes = []
    for layer in (HardAttention(seed=0), SoftAttention()):
        randomised(layer, inputs)  # with the same numbers
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(inputs, training=True) * draw(2, 2, 3, 6))
        slopes.append(tape.gradient(total, [w.value for w in layer.trainable_weights]))
    for one, two in zip(*slopes, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_one_seed_draws_the_same_and_another_does_not():
    inputs = [draw(0, 1, 50, 4), draw(1, 1, 5, 6)]
    first, again, other = (
        np.asarray(randomised(HardAttention(seed=s), inputs)(inputs, training=True))
        for s in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_gate_of_soft_attention_by_hand():
    """A query of ln 3 makes beta 3 / 4."""
    query = np.full((1, 1, 1), np.log(3), np.float32)
    values = np.ones((1, 4, 2), np.float32)
    layer = SoftAttention(gate=True)
    layer.build([query.shape, values.shape])
    layer.beta.kernel.assign([[1.0]])
    np.testing.assert_allclose(layer([query, values])[0, 0], [0.75, 0.75], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LuongAttention("cosine"), "dot.*general.*Received: score='cosine'"),
        (lambda: LuongLocalAttention(0), "window > 0. Received: window=0"),
        (lambda: LuongLocalAttention(centre="x"), "predicted.*Received: centre='x'"),
        (
            lambda: LuongAttention("dot")([draw(0, 1, 3, 4), draw(1, 1, 5, 6)]),
            "equally many channels.*Received: 4 and 6",
        ),
        (lambda: SoftAttention()(draw(0, 1, 3, 4)), r"\[query, values\]"),
        (lambda: SoftAttention()([draw(0, 1, 4), draw(0, 1, 4)]), "Received: input_sh"),
    ],
)
def test_what_cannot_be_attended_to_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
