"""Explains the same networks by native analyzers, on whatever backend is set.

Run by test_backends_explain.py; reads the weights, the images and the names that it
wrote, and writes the maps.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from medattn.explain import create_analyzer
from medattn.models import create_model, load_weights

folder, backend = Path(sys.argv[1]), keras.backend.backend()
if backend == "tensorflow":  # eagerly: much quicker for networks called once
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
elif backend == "jax":
    import jax

    jax.config.update("jax_disable_jit", True)

images = np.load(folder / "images.npy")
maps = {}
for network, analyzers in json.loads((folder / "analyzers.json").read_text()).items():
    model = create_model(network)
    load_weights(model, folder / f"{network}.safetensors")
    for name, options in analyzers.items():
        analyzer = create_analyzer(
            name, model, neuron_selection_mode="index", **options
        )
        maps[f"{network} {name}"] = analyzer.analyze(images, 1)
        if hasattr(analyzer, "audit"):
            audit = analyzer.audit(images, 1)
            scale = np.maximum(1, np.abs(audit["logit"]))
            assert (np.abs(audit["error"]) <= 1e-4 * scale).all(), (network, name)
np.savez(folder / f"{backend}.npz", **maps)
