"""The learning rate of each step."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from medattn.study.execute.learning_rate import CosineDecay


@pytest.mark.parametrize("steps", [1, 2, 9, 50, 300])
def test_the_rates_are_those_of_keras_own_schedule(steps):
    warmup = max(1, steps // 10)
    theirs = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=6e-3, warmup_steps=warmup
    )
    ours = CosineDecay(6e-3, steps)
    for step in range(steps + 1):
        assert ours.rate(step) == pytest.approx(float(theirs(step)), abs=1e-9)


def test_rates_by_hand():
    rates = CosineDecay(1.0, 20)
    assert [rates.rate(step) for step in (0, 1, 2, 11, 20)] == pytest.approx(
        [0, 0.5, 1, 0.5, 0]
    )


def test_an_interrupted_training_goes_on_at_the_rate_where_it_was():
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 3)), rng.integers(0, 2, 40)

    def compiled():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
        return model

    def fit(model, epochs, begin=0):
        model.fit(
            x, y, 10, epochs, initial_epoch=begin, shuffle=False, verbose=0,
            callbacks=[CosineDecay(0.5, 12)],
        )  # fmt: skip

    whole, parts = compiled(), compiled()
    fit(whole, 3)
    fit(parts, 1)
    assert parts.optimizer.iterations == 4
    fit(parts, 3, begin=1)
    np.testing.assert_array_equal(whole.get_weights()[0], parts.get_weights()[0])
    still = compiled()
    assert np.abs(still.get_weights()[0] - whole.get_weights()[0]).max() > 1e-3


BOTH = """
import keras
import numpy as np
from medattn.study.execute.learning_rate import CosineDecay

def trained(rate, callbacks):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.set_weights([np.ones((3, 2)) / 3, np.zeros(2)])
    model.compile(
        keras.optimizers.SGD(rate), keras.losses.SparseCategoricalCrossentropy(True)
    )
    rng = np.random.default_rng(0)
    x, y = rng.random((80, 3)), rng.integers(0, 2, 80)
    model.fit(x, y, 4, epochs=2, shuffle=False, verbose=0, callbacks=callbacks)
    return model.get_weights()[0]

theirs = keras.optimizers.schedules.CosineDecay(
    0.0, 36, warmup_target=0.5, warmup_steps=4
)
whole, flat = trained(theirs, []), trained(0.5, [])
assert np.abs(whole - flat).max() > 1e-3
np.testing.assert_allclose(trained(0.5, [CosineDecay(0.5, 40)]), whole, rtol=1e-4)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_training_is_that_of_keras_own_schedule_on_every_backend(backend):
    paths = [os.environ.get("MEDATTN_TORCH", "")] * (backend == "torch")
    path = os.pathsep.join(filter(None, [*paths, *sys.path]))
    if backend == "torch" and not os.environ.get("MEDATTN_TORCH"):
        pytest.importorskip("torch")
    if backend == "jax":
        pytest.importorskip("jax")
    out = subprocess.run(
        [sys.executable, "-c", BOTH],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path},
    )
    assert out.returncode == 0, out.stderr[-2000:]
