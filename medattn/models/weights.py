"""Weights on disk: float16 safetensors, named by layer, all or nothing."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


def save_weights(model: "keras.Model", path: str | Path) -> None:
    """Writes all weights of a model, rounded to float16.

    Args:
        model: A built `keras.Model`.
        path: The file to write; an existing one is kept until the new one is complete.
    """
    from safetensors.numpy import save

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    arrays = {w.path: np.asarray(w.numpy(), np.float16) for w in model.weights}
    unfinished.write_bytes(save(arrays))
    os.replace(unfinished, path)


def load_weights(model: "keras.Model", path: str | Path) -> None:
    """Reads weights into a model: all of them, or none.

    Args:
        model: A built `keras.Model` of the same layers as the saved one.
        path: A file of `save_weights`.

    Raises:
        ValueError: If the file is missing, damaged, or belongs to another model. The
            model then keeps its weights.
    """
    path = Path(path)
    arrays = read_safetensors(path)
    expected = {w.path: tuple(w.shape) for w in model.weights}
    received = {name: array.shape for name, array in arrays.items()}
    if expected != received:
        differing = sorted(
            name
            for name in expected.keys() | received.keys()
            if expected.get(name) != received.get(name)
        )
        raise ValueError(
            f"The weights in {path.name!r} belong to another model. Expected the "
            f"{len(expected)} weights of {model.name!r}. Received: {len(received)} "
            f"weights, differing in {differing[:3]}"
        )
    for weight in model.weights:
        weight.assign(arrays[weight.path].astype(np.float32))


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """Reads all arrays of a file, by name.

    Raises:
        ValueError: If the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise ValueError(f"There is no weights file {str(path)!r}.") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"The weights file {Path(path).name!r} is damaged. Expected a complete "
            f"safetensors file. Received: {error}"
        ) from error
