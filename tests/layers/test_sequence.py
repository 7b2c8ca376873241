"""Sequence attentions: numbers by hand, properties, masks, and refused inputs."""

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


def normal(seed, *shape):
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
    """Equal fits, D = 1: query t weighs the values t - 1, t and t + 1 evenly."""
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
    """p = 4 sigmoid(0) = 2, D = 2, sigma = 1: quarters times a Gaussian around 2."""
    values = np.ones((1, 4, 2), np.float32)
    layer = LuongLocalAttention(2, "predicted", "dot")
    layer.build([values.shape, values.shape])
    layer.place.kernel.assign(np.zeros((2, 1)))
    gaussian = np.array([0.135335, 0.606531, 1, 0.606531])  # exp(-2), exp(-1/2), ...
    np.testing.assert_allclose(
        layer.scores([values, values])[0], [gaussian / 4] * 4, rtol=1e-5
    )


def test_a_window_outside_the_values_gives_zero():
    """The fifth query needs values 3 to 5 of values 0 to 2."""
    query, values = np.ones((1, 5, 2), np.float32), np.ones((1, 3, 2), np.float32)
    outputs = LuongLocalAttention(1, "monotonic", "dot")([query, values])
    np.testing.assert_allclose(outputs[0, :, 0], [1, 1, 1, 1, 0], rtol=1e-6)


def test_a_wide_monotonic_window_equals_global_attention():
    inputs = [normal(0, 2, 3, 4), normal(1, 2, 5, 6)]
    local = randomised(LuongLocalAttention(9, "monotonic"), inputs)
    everything = randomised(LuongAttention(), inputs)
    np.testing.assert_allclose(local(inputs), everything(inputs), rtol=1e-5)


@pytest.mark.parametrize("name", SEQUENCES)
def test_masking_the_last_values_equals_removing_them(name):
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
def test_masked_queries_and_empty_sequences_give_zeros(name):
    case = CASES[name]
    query, values = inputs_of(case)
    layer = randomised(case.make(), [query, values])
    query_mask = np.array([[True, False, True]] * 2)
    value_mask = np.array([[True] * 5, [False] * 5])
    outputs = np.asarray(layer([query, values], mask=[query_mask, value_mask]))
    assert (outputs[:, 1] == 0).all() and (outputs[1] == 0).all()
    assert np.abs(outputs[0, 0]).max() > 1e-3
    assert layer.compute_mask([query, values], [query_mask, value_mask]) is query_mask


def test_the_masks_of_an_embedding_are_passed_on():
    embed = keras.layers.Embedding(9, 4, mask_zero=True)
    words = [keras.Input((None,), dtype="int32") for _ in range(2)]
    attend = LuongAttention("dot")
    model = keras.Model(words, attend([embed(word) for word in words]))
    longer = model([np.array([[3, 5]]), np.array([[1, 2, 0, 0]])])
    np.testing.assert_allclose(
        longer, model([np.array([[3, 5]]), np.array([[1, 2]])]), rtol=1e-5
    )


def test_bahdanau_with_identity_maps_equals_additive_attention_of_keras():
    inputs = [normal(0, 2, 3, 4), normal(1, 2, 5, 4)]
    theirs, ours = keras.layers.AdditiveAttention(), BahdanauAttention(4)
    mask = [None, np.array([[True] * 4 + [False]] * 2)]
    expected = theirs(inputs, mask=mask)
    ours.build([x.shape for x in inputs])
    ours.query.kernel.assign(np.eye(4))
    ours.key.kernel.assign(np.eye(4))
    ours.vector.kernel.assign(normal(2, 4, 1))
    theirs.scale.assign(ours.vector.kernel[:, 0])
    expected = theirs(inputs, mask=mask)
    np.testing.assert_allclose(ours(inputs, mask=mask), expected, rtol=1e-4, atol=1e-6)


def test_hard_attention_samples_positions_by_their_probabilities():
    """20,000 samples of one query: every frequency within four standard errors."""
    layer = HardAttention(seed=0)
    query = np.repeat(normal(0, 1, 1, 4), 20_000, axis=1)
    inputs = [query, np.eye(5, dtype=np.float32)[None]]
    randomised(layer, inputs)
    probabilities = np.asarray(layer.scores(inputs))[0, 0]
    sampled = np.asarray(layer(inputs, training=True))[0]
    assert set(np.unique(sampled)) == {0, 1} and (sampled.sum(-1) == 1).all()
    error = np.sqrt(probabilities * (1 - probabilities) / 20_000)
    assert (np.abs(sampled.mean(0) - probabilities) < 4 * error).all()
    assert probabilities.min() > 0.01  # all positions are sampled


def test_hard_attention_takes_the_most_probable_position_or_the_given_one():
    inputs = [normal(0, 2, 3, 4), normal(1, 2, 5, 6)]
    layer = randomised(HardAttention(), inputs)
    best = np.asarray(layer.scores(inputs)).argmax(-1)
    for b in range(2):
        np.testing.assert_array_equal(layer(inputs)[b], inputs[1][b][best[b]])
    given = np.zeros((2, 3, 5), np.float32)
    given[..., 4] = 1
    for training in (False, True):
        outputs = layer.mix(inputs, given, training=training)
        np.testing.assert_array_equal(outputs, np.repeat(inputs[1][:, 4:], 3, 1))


def test_hard_attention_has_the_gradient_of_soft_attention():
    """Straight-through: the weights of the fit learn as if from the expectation."""
    inputs = [normal(0, 2, 3, 4), normal(1, 2, 5, 6)]
    gradients = []
    for layer in (HardAttention(seed=0), SoftAttention()):
        randomised(layer, inputs)  # with the same numbers
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(inputs, training=True) * normal(2, 2, 3, 6))
        weights = [w.value for w in layer.trainable_weights]
        gradients.append(tape.gradient(total, weights))
    for one, two in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_the_same_seed_samples_the_same_and_another_does_not():
    inputs = [normal(0, 1, 50, 4), normal(1, 1, 5, 6)]
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
    ("make", "message"),
    [
        (lambda: LuongAttention("cosine"), "dot.*general.*Received: score='cosine'"),
        (lambda: LuongLocalAttention(0), "window > 0. Received: window=0"),
        (lambda: LuongLocalAttention(centre="x"), "predicted.*Received: centre='x'"),
        (
            lambda: LuongAttention("dot")([normal(0, 1, 3, 4), normal(1, 1, 5, 6)]),
            "equally many channels.*Received: 4 and 6",
        ),
        (lambda: SoftAttention()(normal(0, 1, 3, 4)), r"\[query, values\]"),
        (
            lambda: SoftAttention()([normal(0, 1, 4), normal(0, 1, 4)]),
            "Received: input_sh",
        ),
    ],
)
def test_wrong_options_and_inputs_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
