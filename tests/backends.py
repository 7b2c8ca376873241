"""Run under another KERAS_BACKEND by test_backends.py: outputs, maps, a training step.

Reads the weights and images that the test wrote, so that all backends compute the same;
writes the outputs.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import medattn.layers

FOLDER = sys.argv[1]
loaded = {name.split(".")[0] for name in sys.modules}
assert "tensorflow" not in loaded, "medattn.layers imported tensorflow"

from medattn.explain import create_analyzer  # noqa: E402
from medattn.models import (  # noqa: E402
    attach,
    create_model,
    list_models,
    load_weights,
)

images = np.load(f"{FOLDER}/images.npy")
outputs = {}
for name in [name for name in list_models() if "micro" in name]:
    model = create_model(name)
    load_weights(model, f"{FOLDER}/{name}.safetensors")
    outputs[name] = model.predict_on_batch(images)  # compiled: eager JAX is slow
    if name == "cbam_micro_resnet":
        analyzer = create_analyzer("lrp.epsilon", model)
        outputs[f"{name}.relevance"] = analyzer.analyze(images)
        audit = analyzer.audit(images)
        scale = np.abs(audit["logit"])
        assert (np.abs(audit["error"]) <= 1e-4 * scale + 1e-4).all(), audit["error"]

arrays = np.load(f"{FOLDER}/layers.npz")
tensors, given, layer_outputs = [], [], {}
for name, config in json.loads(Path(f"{FOLDER}/layers.json").read_text()).items():
    layer = keras.saving.deserialize_keras_object(config)
    layer_arrays = [arrays[key] for key in arrays if key.startswith(f"{name}/input/")]
    inputs = [keras.Input(array.shape[1:]) for array in layer_arrays]
    layer_outputs[f"layer {name}"] = layer(inputs if len(inputs) > 1 else inputs[0])
    for k, weight in enumerate(layer.weights):
        weight.assign(arrays[f"{name}/weight/{k}"])
    tensors, given = tensors + inputs, given + layer_arrays
    if name == "hard":  # other samples on other backends, but always one position
        chosen = layer.choose(layer.scores(layer_arrays), True)
        chosen = keras.ops.convert_to_numpy(chosen)
        assert np.allclose(np.sort(chosen)[..., -1], 1)
        assert np.allclose(chosen.sum(-1), 1)
outputs |= keras.Model(tensors, layer_outputs).predict_on_batch(given)

model = keras.models.load_model(f"{FOLDER}/saved.keras")
outputs["saved"] = keras.ops.convert_to_numpy(model(images))
model.save(f"{FOLDER}/again.keras")
again = keras.models.load_model(f"{FOLDER}/again.keras")
np.testing.assert_allclose(
    keras.ops.convert_to_numpy(again(images)), outputs["saved"], rtol=1e-5
)

plain = create_model("micro_resnet")
gate = medattn.layers.CBAM(8, start="identity")
attended = attach(plain, gate, "*_out")
np.testing.assert_allclose(
    keras.ops.convert_to_numpy(attended(images)),
    keras.ops.convert_to_numpy(plain(images)),
    atol=1e-6,
)
attended.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
attended.fit(images, np.arange(len(images)) % 2, verbose=0)
assert all(
    np.isfinite(w.numpy() if hasattr(w, "numpy") else np.asarray(w)).all()
    for w in map(keras.ops.convert_to_numpy, attended.weights)
)

np.savez(f"{FOLDER}/outputs.npz", **outputs)
print("backend", keras.backend.backend())
