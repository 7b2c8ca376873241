"""Models that a user trained with `medattn train`: listed, and loaded in safe mode."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

from medattn.models import list_models  # registers the layers that files name

MAXIMUM_BYTES = 500_000_000  # of a file, packed and unpacked
MAXIMUM_RECORD_BYTES = 1_000_000  # of the record beside it
MAXIMUM_SIZE = 512  # height and width of an image in pixels
TRUSTED_PACKAGES = ("keras", "medattn")
REFUSED_CLASSES = ("Lambda", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer")


def list_own_models(folder: str | Path) -> dict[str, dict[str, Any] | None]:
    """Lists the `.keras` files in a folder and below it.

    Args:
        folder: Path of the folder. A link to a file outside it is not followed.

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


def load_own_model(folder: str | Path, name: str) -> keras.Model:
    """Loads one of the models that `list_own_models` lists.

    A `.keras` file can name code to run. So only classes of Keras and medattn are
    accepted, no Lambda and no wrapper of another framework, in Keras's safe mode.

    Args:
        folder: Path of the folder.
        name: A name that `list_own_models` gave.

    Returns:
        A `keras.Model` from images `(batch, size, size, 3)` to logits, not compiled.

    Raises:
        ValueError: In one sentence, if there is no such model, it is no `.keras` file,
            names code from elsewhere, or does not map an image to two or more logits.
    """
    offered = list_own_models(folder)
    if name not in offered:
        raise ValueError(
            f"There is no such model. Expected one of {sorted(offered)}. "
            f"Received: name={str(name)[:80]!r}"
        )
    path = Path(folder).resolve() / name
    _check_classes(_read_config(path), path.name)
    list_models()
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, ImportError) as error:
        raise ValueError(
            f"{path.name} cannot be loaded ({str(error).splitlines()[0][:200]})."
        ) from error
    _check_shapes(model, path.name)
    return model


def _read_config(path: Path) -> Any:
    """Reads the config of a model from its file, without running any code of it."""
    if path.stat().st_size > MAXIMUM_BYTES:
        raise ValueError(
            f"{path.name} is too large. Expected at most {MAXIMUM_BYTES:,} bytes. "
            f"Received: {path.stat().st_size:,}"
        )
    try:
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(part.file_size for part in packed.infolist())
            if unpacked > MAXIMUM_BYTES:
                raise ValueError(
                    f"{path.name} is too large. Expected at most {MAXIMUM_BYTES:,} "
                    f"bytes unpacked. Received: {unpacked:,}"
                )
            return json.loads(packed.read("config.json"))
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(
            f"{path.name} is no .keras file. Expected one that `medattn train` wrote."
        ) from None


def _check_classes(config: Any, name: str) -> None:
    """Refuses a config that names a class from elsewhere, at any depth."""
    if isinstance(config, list):
        for part in config:
            _check_classes(part, name)
    if not isinstance(config, dict):
        return
    if "class_name" in config:
        module = str(config.get("module") or "")
        registered = str(config.get("registered_name") or "")
        known = (
            module.split(".")[0] in (*TRUSTED_PACKAGES, "", "builtins")
            and registered.split(">")[0].split(".")[0] not in ("__main__",)
            and str(config["class_name"]) not in REFUSED_CLASSES
        )
        if not known:
            raise ValueError(
                f"{name} names code from elsewhere. Expected layers of Keras and "
                f"medattn only. Received: {module}.{config['class_name']}"[:300]
            )
    for part in config.values():
        _check_classes(part, name)


def _check_shapes(model: keras.Model, name: str) -> None:
    """Refuses a model that does not map one square image to two or more logits."""
    counts = len(model.inputs), len(model.outputs)
    shape_in, shape_out = model.input_shape, model.output_shape
    fits = counts == (1, 1) and len(shape_in) == 4 and len(shape_out) == 2
    if fits:
        _, height, width, channels = shape_in
        fits = channels == 3 and height == width and height is not None
        fits = fits and 8 <= height <= MAXIMUM_SIZE and (shape_out[1] or 0) >= 2
    if not fits:
        raise ValueError(
            f"{name} does not classify images. Expected (batch, size, size, 3) in, "
            f"size at most {MAXIMUM_SIZE}, and two or more logits out. Received: "
            f"{shape_in} in, {shape_out} out"
        )


def _record(path: Path) -> dict[str, Any] | None:
    """Reads the record beside a model; None if there is no valid one."""
    beside = path.with_suffix(".json")
    try:
        if beside.stat().st_size > MAXIMUM_RECORD_BYTES:
            return None
        record = json.loads(beside.read_text())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and "trial" in record else None
