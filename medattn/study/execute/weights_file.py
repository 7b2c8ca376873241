"""Weights of a file, by the paths that they have in a model here."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from medattn.models.weights import read_safetensors


def read_weights(
    source: keras.Model | str | Path, model: keras.Model
) -> Mapping[str, np.ndarray]:
    """Reads weights by the paths that they have in `model`.

    Args:
        source: A `keras.Model` of the same architecture, or the path of a file of
            `medattn.models.save_weights`.
        model: The model that they are for.

    Returns:
        A dict from path to array.

    Raises:
        ValueError: If the file is missing or damaged.
    """
    if isinstance(source, keras.Model):
        return {weight.path: np.asarray(weight.numpy()) for weight in source.weights}
    return read_safetensors(Path(source))
