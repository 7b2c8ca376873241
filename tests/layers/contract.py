"""The contract of every attention layer, and the cases on which it is checked."""

import subprocess
import sys
from collections import namedtuple

import keras
import numpy as np
import plain
import tensorflow as tf

from medattn import layers

Case = namedtuple("Case", "make shapes plain")
IMAGE = ((2, 6, 5, 8),)
TOKENS = ((2, 5, 12),)
PAIR = ((2, 3, 4), (2, 5, 6))
TWINS = ((2, 3, 6), (2, 5, 6))

CASES = {
    "se": Case(lambda: layers.SqueezeExcite(4), IMAGE, plain.squeeze_excite),
    "se_bias": Case(
        lambda: layers.SqueezeExcite(2, use_bias=True), IMAGE, plain.squeeze_excite
    ),
    "se_identity": Case(
        lambda: layers.SqueezeExcite(4, start="identity"), IMAGE, plain.squeeze_excite
    ),
    "channel": Case(lambda: layers.ChannelAttention(4), IMAGE, plain.channel_attention),
    "spatial": Case(lambda: layers.SpatialAttention(3), IMAGE, plain.spatial_attention),
    "cbam": Case(lambda: layers.CBAM(4, kernel_size=5), IMAGE, plain.cbam),
    "cbam_identity": Case(
        lambda: layers.CBAM(4, kernel_size=5, start="identity"), IMAGE, plain.cbam
    ),
    "eca": Case(
        lambda: layers.EfficientChannelAttention(),
        IMAGE,
        plain.efficient_channel_attention,
    ),
    "bam": Case(lambda: layers.BAM(4, dilation=2), IMAGE, plain.bam),
    "global_context": Case(
        lambda: layers.GlobalContext(2), IMAGE, plain.global_context
    ),
    "coordinate": Case(lambda: layers.CoordinateAttention(4), IMAGE, plain.coordinate),
    # A bias of the keys would cancel in the softmax and get no gradient.
    "multi_head": Case(
        lambda: layers.MultiHeadSelfAttention(3, use_bias=False),
        TOKENS,
        plain.multi_head,
    ),
    "bahdanau": Case(lambda: layers.BahdanauAttention(7), PAIR, plain.bahdanau),
    "luong_dot": Case(lambda: layers.LuongAttention("dot"), TWINS, plain.luong),
    "luong_general": Case(lambda: layers.LuongAttention(), PAIR, plain.luong),
    "luong_concat": Case(lambda: layers.LuongAttention("concat"), PAIR, plain.luong),
    "local_p": Case(lambda: layers.LuongLocalAttention(2), PAIR, plain.luong_local),
    "local_m": Case(
        lambda: layers.LuongLocalAttention(1, "monotonic", "concat"),
        PAIR,
        plain.luong_local,
    ),
    "soft": Case(lambda: layers.SoftAttention(), PAIR, plain.soft),
    "soft_gated": Case(lambda: layers.SoftAttention(5, gate=True), PAIR, plain.soft),
    "hard": Case(lambda: layers.HardAttention(seed=1), PAIR, plain.hard),
}


def inputs_of(case, seed=0, batch=None):
    """Random inputs of a case: an array, or a list of two."""
    rng = np.random.default_rng(seed)
    arrays = [
        rng.normal(size=(batch or shape[0], *shape[1:])).astype(np.float32)
        for shape in case.shapes
    ]
    return arrays if len(arrays) > 1 else arrays[0]


def randomised(layer, inputs):
    """Builds a layer and fills every weight, so that no zero hides a mistake."""
    if not layer.built:
        layer.build(keras.tree.map_structure(lambda x: x.shape, inputs))
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        low = 0.5 if weight.path.endswith(("gamma", "moving_variance")) else -1
        weight.assign(rng.uniform(low, 1.5, weight.shape))
    return layer


def model_of(case, layer, unknown=False):
    """A functional model of one layer, with known or unknown sizes."""
    inputs = [
        keras.Input((*(None for _ in s[1:-1]), s[-1]) if unknown else s[1:])
        for s in case.shapes
    ]
    inputs = inputs if len(inputs) > 1 else inputs[0]
    return keras.Model(inputs, layer(inputs))


def check_layer(case):
    """Checks all of the contract that needs one process; see also `check_disk`."""
    check_config(case)
    check_numbers(case)
    check_shapes(case)
    check_half_precision(case)
    check_gradients(case)
    check_training_step(case)


def check_config(case):
    layer = case.make()
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def check_numbers(case):
    """Scores and outputs are those of plain numpy, and `call` mixes by the scores."""
    inputs = inputs_of(case)
    layer = randomised(case.make(), inputs)
    scores, outputs = case.plain(layer, inputs)
    found = np.asarray(layer.scores(inputs))
    maximum = 4 if getattr(layer, "start", "paper") == "identity" else 1
    assert found.min() >= 0 and found.max() <= maximum + 1e-6
    assert scores.std() > 1e-3 and outputs.std() > 1e-3  # not trivial
    np.testing.assert_allclose(found, scores, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(layer(inputs), outputs, rtol=1e-3, atol=1e-4)
    mixed = layer.mix(inputs, layer.scores(inputs))
    np.testing.assert_allclose(layer(inputs), mixed, rtol=1e-5, atol=1e-6)


def check_shapes(case):
    """A layer's symbolic shape is that of its output, also where sizes are unknown."""
    layer = case.make()
    inputs = inputs_of(case)
    model = model_of(case, layer, unknown=True)
    eager = layer(inputs).shape
    assert model_of(case, case.make()).output_shape == (None, *eager[1:])
    assert model.output_shape == (*(None,) * (len(eager) - 1), eager[-1])
    assert model(inputs).shape == eager
    smaller = keras.tree.map_structure(lambda x: x[:1, :-1], inputs)
    assert model(smaller).shape == layer(smaller).shape == (1, eager[1] - 1, *eager[2:])


def check_half_precision(case):
    layer = case.make()
    layer = type(layer).from_config({**layer.get_config(), "dtype": "mixed_float16"})
    outputs = layer(inputs_of(case))
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    assert np.isfinite(np.asarray(outputs)).all()
    for part in layer._flatten_layers():
        assert part.compute_dtype == "float16" or not part.weights, part.name


def check_gradients(case):
    """Every weight and every input has a gradient that is not zero."""
    inputs = inputs_of(case)
    layer = randomised(case.make(), inputs)
    tensors = keras.tree.map_structure(tf.constant, inputs)
    watched = keras.tree.flatten(tensors)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        outputs = layer(tensors)
        weights = np.random.default_rng(2).normal(size=outputs.shape)
        total = tf.reduce_sum(outputs * weights.astype(np.float32))
    names = [f"input {k}" for k in range(len(watched))]
    names += [weight.path for weight in layer.trainable_weights]
    watched += [weight.value for weight in layer.trainable_weights]
    for name, gradient in zip(names, tape.gradient(total, watched), strict=True):
        assert gradient is not None and np.abs(gradient.numpy()).max() > 1e-6, name
        assert np.isfinite(gradient.numpy()).all(), name


def check_training_step(case):
    """One step of fit under XLA moves every weight to another finite value."""
    keras.utils.set_random_seed(3)
    layer = case.make()
    model = model_of(case, layer)
    randomised(layer, inputs_of(case))
    # A layer without weights is trained through, too.
    model = keras.Model(model.inputs, keras.layers.Dense(3)(model.output))
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=True)
    before = [weight.numpy().copy() for weight in layer.trainable_weights]
    inputs = inputs_of(case, batch=8)
    target = np.random.default_rng(4).normal(size=(8, *model.output_shape[1:]))
    assert np.isfinite(model.fit(inputs, target, verbose=0).history["loss"]).all()
    for weight, old in zip(layer.trainable_weights, before, strict=True):
        assert np.isfinite(weight.numpy()).all(), weight.path
        assert not np.array_equal(weight.numpy(), old), f"{weight.path} did not move"


READ = """
import sys, keras, numpy as np, medattn.layers
folder = sys.argv[1]
model = keras.models.load_model(folder + "/all.keras")
arrays = np.load(folder + "/inputs.npz")
outputs = model([arrays[f"arr_{k}"] for k in range(len(arrays))])
np.savez(folder + "/outputs.npz", *outputs)
"""


def check_disk(cases, folder):
    """A process that imports only medattn.layers reads what this one wrote."""
    tensors, arrays, outputs = [], [], []
    for case in cases.values():
        inputs = inputs_of(case)
        part = model_of(case, randomised(case.make(), inputs))
        tensors += part.inputs
        arrays += keras.tree.flatten(inputs)
        outputs.append(part.output)
    model = keras.Model(tensors, outputs)
    model.save(folder / "all.keras")
    np.savez(folder / "inputs.npz", *arrays)
    subprocess.run([sys.executable, "-c", READ, str(folder)], check=True)
    found = np.load(folder / "outputs.npz")
    for k, (name, expected) in enumerate(zip(cases, model(arrays), strict=True)):
        np.testing.assert_allclose(found[f"arr_{k}"], expected, rtol=1e-6, err_msg=name)
