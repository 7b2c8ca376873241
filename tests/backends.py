"""Run under another KERAS_BACKEND by test_backends.py: answers, maps and a step.

Reads the weights and images that the calling test wrote, so that all backends answer
the same question; writes what they answer.
"""

import sys

import keras
import numpy as np

import medattn.layers

FOLDER = sys.argv[1]
loaded = {name.split(".")[0] for name in sys.modules}
assert "tensorflow" not in loaded, "medattn.layers imported tensorflow"

from medattn.explain import create_analyzer  # noqa: E402
from medattn.models import attach, create_model, load_weights  # noqa: E402

images = np.load(f"{FOLDER}/images.npy")
answers = {}
for name in ("cbam_micro_resnet", "se_micro_densenet", "micro_deit"):
    model = create_model(name)
    load_weights(model, f"{FOLDER}/{name}.safetensors")
    answers[name] = keras.ops.convert_to_numpy(model(images))
    if "resnet" in name:
        analyzer = create_analyzer("lrp.epsilon", model)
        answers[f"{name}.relevance"] = analyzer.analyze(images)
        books = analyzer.audit(images)
        scale = np.abs(books["logit"])
        assert (np.abs(books["error"]) <= 1e-4 * scale + 1e-4).all(), books["error"]

model = keras.models.load_model(f"{FOLDER}/saved.keras")
answers["saved"] = keras.ops.convert_to_numpy(model(images))
model.save(f"{FOLDER}/again.keras")
again = keras.models.load_model(f"{FOLDER}/again.keras")
np.testing.assert_allclose(
    keras.ops.convert_to_numpy(again(images)), answers["saved"], rtol=1e-5
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

np.savez(f"{FOLDER}/answers.npz", **answers)
print("backend", keras.backend.backend())
