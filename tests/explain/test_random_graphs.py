"""Random graphs of all supported layers: the books are closed in every one."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers, ops
from layer_forms import IMAGES, TOKENS, VOLUMES
from networks import randomised

from medattn.explain import create_analyzer, run_eagerly

RULES = (
    "lrp.epsilon",
    "lrp.gamma",
    "lrp.alpha_1_beta_0",
    "lrp.flat",
    "lrp.w_square",
    "lrp.sequential_preset_a",
    "lrp.attention",
    "deep_lift.rescale",
    "deep_lift.reveal_cancel",
)
ACTIVATIONS = "relu gelu silu tanh sigmoid elu softplus leaky_relu selu softmax".split()
ANY = {name: lambda name=name: layers.Activation(name) for name in ACTIVATIONS} | {
    "Dense": lambda: layers.Dense(4),
    "BatchNormalization": lambda: layers.BatchNormalization(),
    "LayerNormalization": lambda: layers.LayerNormalization(),
    "RMSNormalization": lambda: layers.RMSNormalization(),
    "Dropout": lambda: layers.Dropout(0.5),
    "gate": lambda: lambda x: x * layers.Dense(1, activation="sigmoid")(x),
}
FAMILIES = {
    (6, 4): TOKENS,
    (8, 8, 3): IMAGES,
    (4, 6, 6, 1): VOLUMES,
    (5,): {"Dense": lambda: layers.Dense(7)},
}
MERGES = {
    "none": lambda x, y: x,
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "maximum": lambda x, y: ops.maximum(x, y),
    "average": lambda x, y: layers.Average()([x, y]),
    "product": lambda x, y: x * y,
    "gated": lambda x, y: x * ops.sigmoid(y),
    "concatenate": lambda x, y: layers.Concatenate()([x, y]),
    "quotient": lambda x, y: x / (1.5 + ops.square(y)),
}


def shaped(x, shape):
    """Brings whatever a layer has made to the shape in which the next one takes it."""
    if tuple(x.shape[1:]) == shape:
        return x
    return layers.Reshape(shape)(layers.Dense(int(np.prod(shape)))(layers.Flatten()(x)))


@st.composite
def plans(draw, most=3):
    """A rule, a seed, and a few layers, each joined with a tensor before it."""
    shape = draw(st.sampled_from(list(FAMILIES)))
    forms, merges = sorted(ANY | FAMILIES[shape]), sorted(MERGES)
    steps = [
        (
            draw(st.sampled_from(forms)),
            draw(st.integers(0, made)),
            draw(st.sampled_from(merges)),
            draw(st.integers(0, made)),
        )
        for made in range(draw(st.integers(1, most)))
    ]
    return draw(st.sampled_from(RULES)), draw(st.integers(0, 2**16)), shape, steps


def built(shape, steps, seed):
    """Makes the model of a plan."""
    inputs = keras.Input(shape)
    made = [layers.Dense(shape[-1])(inputs)]  # values of both signs
    for name, source, merge, other in steps:
        x = shaped((ANY | FAMILIES[shape])[name]()(made[source]), shape)
        made.append(shaped(MERGES[merge](x, made[other]), shape))
    x = layers.Flatten()(made[-1])
    model = keras.Model(inputs, layers.Dense(3)(layers.Dense(4, "relu")(x)))
    return randomised(model, seed)


def books_are_closed(plan):
    rule, seed, shape, steps = plan
    model = built(shape, steps, seed)
    x = np.random.default_rng(seed).normal(size=(1, *shape))
    with run_eagerly():
        audit = create_analyzer(rule, model).audit(x.astype(np.float32))
    error = np.abs(audit["error"]) / np.maximum(1, np.abs(audit["logit"]))
    assert (error < 1e-3).all(), audit


pytestmark = pytest.mark.filterwarnings("ignore:.*softmax over axis:UserWarning")
QUIETLY: dict = dict(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@settings(max_examples=25, **QUIETLY)
@given(plans())
def test_the_books_of_random_graphs_are_closed(plan):
    books_are_closed(plan)


@pytest.mark.slow
@settings(max_examples=500, **QUIETLY)
@given(plans(most=2))  # for the time
def test_the_books_of_500_random_graphs_are_closed(plan):
    books_are_closed(plan)
