"""Asks every native analyzer about the same networks, under whatever backend is set.

Run by test_backends_explain.py; reads the weights and images that it wrote, and writes
the maps.
"""

import sys

import keras
import numpy as np

from medattn.explain import create_analyzer
from medattn.models import create_model, load_weights

folder, names = sys.argv[1], sys.argv[2].split(",")
images = np.load(f"{folder}/images.npy")
maps = {}
for network in ("cbam_micro_resnet", "micro_deit"):
    model = create_model(network)
    load_weights(model, f"{folder}/{network}.safetensors")
    for name in names:
        analyzer = create_analyzer(name, model, neuron_selection_mode="index")
        maps[f"{network} {name}"] = analyzer.analyze(images, 1)
        if hasattr(analyzer, "audit"):
            books = analyzer.audit(images, 1)
            scale = np.maximum(1, np.abs(books["logit"]))
            assert (np.abs(books["error"]) <= 1e-4 * scale).all(), (network, name)
np.savez(f"{folder}/{keras.backend.backend()}.npz", **maps)
