"""Every part of the audit is named for what it is: by hand, and on random graphs."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from networks import randomised

from medattn.explain import create_analyzer, run_eagerly
from medattn.explain.audit import PARTS
from medattn.models import create_model

TOKENS, DIM = 4, 4
RULES = {
    "lrp.z": {},
    "lrp.gamma": {},
    "lrp.alpha_1_beta_0": {},
    "lrp.epsilon": {"epsilon": 0.0},
    "lrp.attention": {"epsilon": 0.0},
}


def audited(name, model, x, **options):
    with run_eagerly():
        audit = create_analyzer(name, model, precision="float32", **options).audit(x)
    total = audit["relevance"] + sum(audit[part] for part in PARTS)
    np.testing.assert_allclose(total, audit["logit"], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(
        sum(audit[part] for part in PARTS), audit["absorbed"] + audit["dropped"]
    )
    return audit


def parts_of(audit, sample=0):
    return {p: float(audit[p][sample]) for p in PARTS if abs(audit[p][sample]) > 1e-6}


def test_a_bias_and_the_stabiliser_by_hand():
    """z = 2 + 3 + 1 = 6, epsilon 2: of 6 the bias gets 6/8, the stabiliser 12/8."""
    image = keras.Input((2,))
    model = keras.Model(image, layers.Dense(1)(image))
    model.set_weights([np.float32([[2.0], [1.0]]), np.float32([1.0])])
    audit = audited("lrp.epsilon", model, np.float32([[1, 3]]), epsilon=2.0)
    assert parts_of(audit) == pytest.approx({"biases": 0.75, "stabiliser": 1.5})


def test_a_bias_and_the_shift_of_the_norm_after_it_by_hand():
    """z = 2 (3 + 1) - 1 = 7 of the input 3: the bias adds 2, the norm's shift -1."""
    image = keras.Input((1,))
    norm = layers.BatchNormalization(epsilon=0.0)
    model = keras.Model(image, norm(layers.Dense(1)(image)))
    one = np.ones(1, np.float32)
    model.set_weights([one[None], one, 2 * one, -one, 0 * one, one])
    audit = audited("lrp.z", model, np.float32([[3]]))
    assert parts_of(audit) == pytest.approx({"biases": 2, "norm_shifts": -1})


def test_what_a_softmax_leaves_over_is_no_bias():
    model = create_model("micro_deit", num_classes=2, input_shape=(32, 32, 3))
    for weight in randomised(model).weights:
        if weight.path.endswith(("bias", "beta")):
            weight.assign(0 * weight)
    x = np.random.default_rng(0).random((1, 32, 32, 3)).astype(np.float32)
    found = parts_of(audited("lrp.attention", model, x))
    assert "biases" not in found and "norm_shifts" not in found
    assert abs(found["rule_loss"]) > 1e-3


@pytest.fixture(scope="module")
def reads_only_positions():
    """A transformer that sees nothing of its image, and has no biases."""
    model = create_model("micro_deit", num_classes=2, input_shape=(32, 32, 3))
    for weight in randomised(model).weights:
        unread = ("patch_embed/kernel", "token", "bias", "beta")
        if weight.path.endswith(unread) or weight.path.startswith("patch"):
            weight.assign(0 * weight)
    return model


def test_positions_get_all_where_nothing_else_is_read(reads_only_positions):
    x = np.random.default_rng(0).random((2, 32, 32, 3)).astype(np.float32)
    with run_eagerly():
        analyzer = create_analyzer("lrp.epsilon", reads_only_positions)
        audit, maps = analyzer.audit(x), analyzer.token_maps(x)
        on_image = analyzer.position_map(x)
    assert (np.abs(audit["positions"] / audit["logit"] - 1) < 0.01).all()
    assert np.abs(audit["relevance"]).max() < 1e-6
    (positions,), (token,) = maps["positions"], maps["class_token"]
    np.testing.assert_allclose(
        positions.sum((1, 2)), audit["positions"], rtol=1e-4, atol=1e-5
    )
    assert positions.shape[1:] == (17, 32) and not token.any()
    np.testing.assert_allclose(
        on_image.sum((1, 2)), positions[:, 1:].sum((1, 2)), rtol=1e-4, atol=1e-5
    )
    assert on_image.shape == (2, 32, 32)


def test_under_attnlrp_what_reaches_the_inputs_is_the_positions(reads_only_positions):
    x = np.random.default_rng(0).random((1, 32, 32, 3)).astype(np.float32)
    found = parts_of(audited("lrp.attention", reads_only_positions, x))
    assert set(found) <= {"positions", "rule_loss", "stabiliser"}


def test_an_input_that_is_not_explained_is_no_bias():
    image, age = keras.Input((3,), name="image"), keras.Input((1,), dtype="int32")
    known = layers.Flatten()(layers.Embedding(5, 3)(age))
    model = keras.Model([image, age], layers.Dense(2, use_bias=False)(image + known))
    x = [np.ones((1, 3), np.float32), np.ones((1, 1), np.int32)]
    found = parts_of(audited("lrp.z", randomised(model), x, input=0))
    assert set(found) == {"others"}


class Token(layers.Layer):
    """Puts a learnt row before the tokens."""

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[-1]), name="class_token")

    def call(self, x):
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([token, x], 1)


class Position(layers.Layer):
    """Adds a learnt row to each token, looked up by its number."""

    def build(self, shape):
        self.rows = layers.Embedding(shape[1], shape[2], name="positions")
        self.rows.build(None)

    def call(self, x):
        return x + self.rows(ops.arange(x.shape[1]))


class Bias(layers.Layer):
    """Adds a learnt vector, by hand and as large as its input."""

    def build(self, shape):
        self.bias = self.add_weight(shape=(shape[-1],), name="bias")

    def call(self, x):
        return x + ops.broadcast_to(self.bias, (1, *x.shape[1:]))


def attended(x, rng):
    weights = layers.Softmax()(ops.matmul(x, ops.transpose(x, (0, 2, 1))))
    return x + ops.matmul(weights, x)


# What a graph is made of, and which part each may add.
PIECES = {
    "dense": (lambda x, rng: layers.Dense(DIM)(x), "biases"),
    "bias": (lambda x, rng: Bias()(x), "biases"),
    "rectified": (lambda x, rng: layers.Dense(DIM, activation="relu")(x), "biases"),
    "batch norm": (lambda x, rng: layers.BatchNormalization()(x), "norm_shifts"),
    "folded": (
        lambda x, rng: layers.BatchNormalization()(layers.Dense(DIM)(x)),
        "norm_shifts",
    ),
    "layer norm": (lambda x, rng: layers.LayerNormalization()(x), "norm_shifts"),
    "number": (lambda x, rng: x + 0.5, "constants"),
    "softplus": (lambda x, rng: ops.softplus(x), "constants"),
    "position": (lambda x, rng: Position()(x), "positions"),
    "token": (lambda x, rng: Token()(x), "class_token"),
    "gelu": (lambda x, rng: layers.Activation("gelu")(x), None),
    "attention": (attended, "attention"),
    "skip": (lambda x, rng: x + layers.Dense(DIM)(x), "biases"),
}


def random_graph(seed):
    """Returns a random network of tokens, and which of its parts are not zero."""
    rng = np.random.default_rng(seed)
    allowed = {part for part in PARTS if rng.random() < 0.5} | {None, "attention"}
    x = image = keras.Input((TOKENS, DIM))
    used = set()
    for name in rng.choice(list(PIECES), rng.integers(2, 7)):
        piece, part = PIECES[name]
        if part in ("constants", "class_token", "positions") and part not in allowed:
            continue
        used.add(part)
        x = piece(x, rng)
    x = layers.Dense(3, use_bias=False)(layers.Flatten()(x))
    model = randomised(keras.Model(image, x), seed)
    for weight in model.weights:
        kind = "norm_shifts" if "norm" in weight.path else "biases"
        zero = weight.path.endswith(("beta", "moving_mean", "bias"))
        if zero and kind not in allowed:
            weight.assign(0 * weight)
    if "biases" in allowed and "norm_shifts" in used:
        used.add("biases")  # that of a folded layer
    return model, used & allowed


def check_random_graph(seed):
    model, used = random_graph(seed)
    name = list(RULES)[seed % len(RULES)]
    x = np.random.default_rng(seed + 1).normal(size=(2, TOKENS, DIM))
    with run_eagerly():
        analyzer = create_analyzer(name, model, precision="auto", **RULES[name])
        maps, audit, _ = analyzer.analyze_and_audit(x.astype(np.float32))
    size = 1 + np.abs(audit["logit"]) + np.abs(maps).sum((1, 2))
    if name == "lrp.attention" and "attention" in used:
        used = used | {"rule_loss"}
    found = {p for p in PARTS if (np.abs(audit[p]) > 1e-5 * size).any()}
    assert (np.abs(audit["error"]) < 1e-4 * size).all(), (seed, name)
    # A ReLU may let nothing through: then only what was not asked for would be wrong.
    assert found - {"rule_loss"} <= used, (seed, name, found, used)
    return found == used - {None, "attention"}


def test_no_part_of_a_random_graph_is_misnamed():
    assert np.mean([check_random_graph(seed) for seed in range(12)]) > 0.5


@pytest.mark.slow
def test_no_part_of_many_random_graphs_is_misnamed():
    for seed in range(12, 72):
        check_random_graph(seed)
