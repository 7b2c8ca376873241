"""Models of one's own, of `medattn train`: listed in a folder, loaded in safe mode."""

import json
import zipfile
from pathlib import Path

import keras

from medattn.models import list_models  # registers the layers that files name

MOST_BYTES = 500_000_000  # of a file, packed and unpacked
MOST_RECORD = 1_000_000  # bytes of the record beside it
LARGEST = 512  # pixels of an image's side
TRUSTED = ("keras", "medattn")
REFUSED = ("Lambda", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer")


def list_own_models(folder):
    """Lists the `.keras` files in a folder and below it.

    Args:
        folder: Path of the folder. A link that leads out of it is not followed.

    Returns:
        A dict from the file's name within the folder to the record that
        `medattn train` wrote beside it, as in `list_zoo_models`, or None.
    """
    root = Path(folder).resolve()
    found = {}
    for path in sorted(root.rglob("*.keras")):
        if path.is_file() and path.resolve().is_relative_to(root):
            found[path.relative_to(root).as_posix()] = _record(path)
    return found


def load_own_model(folder, name):
    """Loads one of the models that `list_own_models` lists.

    A `.keras` file can name code to be run. So only classes of Keras and medattn are
    accepted, no Lambda nor a wrapper of another framework, and Keras's safe mode is on.

    Args:
        folder: Path of the folder.
        name: A name that `list_own_models` gave.

    Returns:
        A `keras.Model` from images `(batch, size, size, 3)` to logits, not compiled.

    Raises:
        ValueError: In one plain sentence, if there is no such model, it is no `.keras`
            file, names code from elsewhere, or answers no image with two or more
            logits.
    """
    offered = list_own_models(folder)
    if name not in offered:
        raise ValueError(
            f"There is no such model. Expected one of {sorted(offered)}. "
            f"Received: name={str(name)[:80]!r}"
        )
    path = Path(folder).resolve() / name
    _check_parts(_read_config(path), path.name)
    list_models()
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, ImportError) as error:
        raise ValueError(
            f"{path.name} cannot be loaded ({str(error).splitlines()[0][:200]})."
        ) from error
    return _check_ends(model, path.name)


def _read_config(path):
    """Reads what a file says about its model, without running any of it."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(
            f"{path.name} is too large. Expected at most {MOST_BYTES:,} bytes. "
            f"Received: {path.stat().st_size:,}"
        )
    try:
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(part.file_size for part in packed.infolist())
            if unpacked > MOST_BYTES:
                raise ValueError(
                    f"{path.name} is too large. Expected at most {MOST_BYTES:,} bytes "
                    f"unpacked. Received: {unpacked:,}"
                )
            return json.loads(packed.read("config.json"))
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(
            f"{path.name} is no .keras file. Expected one that `medattn train` wrote."
        ) from None


def _check_parts(config, name):
    """Refuses a config that names a class from elsewhere, wherever in it."""
    if isinstance(config, list):
        for part in config:
            _check_parts(part, name)
    if not isinstance(config, dict):
        return
    if "class_name" in config:
        module = str(config.get("module") or "")
        registered = str(config.get("registered_name") or "")
        known = (
            module.split(".")[0] in (*TRUSTED, "", "builtins")
            and registered.split(">")[0].split(".")[0] not in ("__main__",)
            and str(config["class_name"]) not in REFUSED
        )
        if not known:
            raise ValueError(
                f"{name} names code from elsewhere. Expected layers of Keras and "
                f"medattn only. Received: {module}.{config['class_name']}"[:300]
            )
    for part in config.values():
        _check_parts(part, name)


def _check_ends(model, name):
    ends = len(model.inputs), len(model.outputs)
    shape_in, shape_out = model.input_shape, model.output_shape
    right = ends == (1, 1) and len(shape_in) == 4 and len(shape_out) == 2
    if right:
        _, height, width, channels = shape_in
        right = channels == 3 and height == width and height is not None
        right = right and 8 <= height <= LARGEST and (shape_out[1] or 0) >= 2
    if not right:
        raise ValueError(
            f"{name} answers no image. Expected (batch, size, size, 3) in, size at "
            f"most {LARGEST}, and two or more logits out. Received: {shape_in} in, "
            f"{shape_out} out"
        )
    return model


def _record(path):
    beside = path.with_suffix(".json")
    try:
        if beside.stat().st_size > MOST_RECORD:
            return None
        record = json.loads(beside.read_text())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and "trial" in record else None
