"""Several devices: the same batches, and a model that learns the same.

TensorFlow splits one processor into two only before it starts, so each test has a
process of its own.
"""

import json
import subprocess
import sys

import pytest

TWO = """
import json, sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
import keras
from medattn.data import load_dataset
from medattn.study import Trial, probabilities
from medattn.study.execute import devices, train
"""

AHEAD = """
data = load_dataset("fundus", regime=0.01)
options = dict(training=True, seed=4)
plain = [x.numpy() for x, _ in data.batches(16, **options).take(5)]
ahead, used = [], set()
for image, label in data.batches(16, device="CPU:1", **options):
    ahead.append(image.numpy())
    used |= {image.device.split("/")[-1], label.device.split("/")[-1]}
    if len(ahead) == 5:
        break
same = all(np.array_equal(a, b) for a, b in zip(plain, ahead))
model = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Flatten()])
model.add(keras.layers.Dense(2))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile("sgd", loss)
stream = data.batches(16, device="CPU:1", **options)
model.fit(stream, steps_per_epoch=2, epochs=2, verbose=0, shuffle=False)
steps = int(model.optimizer.iterations.numpy())
print(json.dumps(dict(devices=sorted(used), same=same, steps=steps)))
"""

MIRRORED = """
def fit(scope):
    with scope:
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                keras.layers.Conv2D(4, 3, strides=4, activation="relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(2),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.05), loss, jit_compile=False)
    data = load_dataset("fundus", regime=0.01, size=32)
    stream = data.batches(16, training=True, seed=1)
    history = model.fit(stream, steps_per_epoch=12, epochs=1, verbose=0, shuffle=False)
    return [np.array(w) for w in model.get_weights()], history.history["loss"][0]

names = ["CPU:0", "CPU:1"]
one, loss = fit(devices.training_scope(names[:1]))
both, shared = fit(devices.training_scope(names))
gap = max(float(np.abs(a - b).max()) for a, b in zip(one, both))
moved = max(float(np.abs(a).max()) for a in one)

devices.find_gpus = lambda: names  # as if they were accelerators
trial = Trial("se_micro_resnet", regime=0.01, steps=8, rounds=2, size=32)
model, splits, history = train.fit_trial(trial, folder=sys.argv[1])
images = splits["test"].arrays()[0][:30]
predicted = probabilities(model, images)
again, _, resumed = train.fit_trial(trial, folder=sys.argv[1])
same = all(
    np.array_equal(a, b) for a, b in zip(model.get_weights(), again.get_weights())
)
print(
    json.dumps(
        dict(
            gap=gap, moved=moved, loss=loss, shared=shared,
            rows=len(predicted), same=same,
            steps=[line["step"] for line in history], resumed=resumed == history,
            mirrored=type(model.weights[0].value).__name__,
        )
    )
)
"""


def output(code, *arguments):
    out = subprocess.run(
        [sys.executable, "-c", TWO + code, *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    assert out.returncode == 0, out.stderr[-2000:]
    return json.loads(out.stdout.splitlines()[-1])


@pytest.mark.slow
def test_batches_are_prefetched_to_the_device_with_the_same_bits():
    assert output(AHEAD) == dict(devices=["device:CPU:1"], same=True, steps=4)


@pytest.mark.slow
def test_two_devices_learn_the_same_as_one(tmp_path):
    """The sums of a step have another order, so equal up to rounding."""
    found = output(MIRRORED, tmp_path)
    assert found["gap"] < 1e-5 < 0.01 < found["moved"]
    assert found["loss"] == pytest.approx(found["shared"], rel=1e-5)
    assert found["mirrored"] == "MirroredVariable"
    assert found["rows"] == 30  # not once for each device
    assert found["steps"] == [4, 8]
    assert (
        found["resumed"] and found["same"]
    )  # a finished trial is taken from its folder
