"""Weights of torchvision, timm and Keras, by their names, for the layers here."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from medattn.models.weights import load_weights, read_safetensors

if TYPE_CHECKING:
    import keras

Names: TypeAlias = Sequence[tuple[str, str]]

# Layer name here -> the original's, tried in this order. `s` counts stages from 2, as
# keras.applications does; the originals count from 1 (and blocks from 0 in ResNet).
RESNET = (
    (r"conv1_conv", "conv1"),
    (r"conv1_bn", "bn1"),
    (r"conv(?P<s>\d)_block(?P<b>\d+)_0_conv", "layer{s1}.{b1}.downsample.0"),
    (r"conv(?P<s>\d)_block(?P<b>\d+)_0_bn", "layer{s1}.{b1}.downsample.1"),
    (
        r"conv(?P<s>\d)_block(?P<b>\d+)_(?P<k>\d)_(?P<t>conv|bn)",
        "layer{s1}.{b1}.{t}{k}",
    ),
    (r"predictions", "fc"),
)
DENSE = "features.denseblock{s1}.denselayer{b}."
DENSENET = (
    (r"conv1_conv", "features.conv0"),
    (r"conv1_bn", "features.norm0"),
    (r"conv(?P<s>\d)_block(?P<b>\d+)_0_bn", DENSE + "norm1"),
    (r"conv(?P<s>\d)_block(?P<b>\d+)_1_conv", DENSE + "conv1"),
    (r"conv(?P<s>\d)_block(?P<b>\d+)_1_bn", DENSE + "norm2"),
    (r"conv(?P<s>\d)_block(?P<b>\d+)_2_conv", DENSE + "conv2"),
    (r"pool(?P<s>\d)_bn", "features.transition{s1}.norm"),
    (r"pool(?P<s>\d)_conv", "features.transition{s1}.conv"),
    (r"bn", "features.norm5"),
    (r"predictions", "classifier"),
)
DEIT = (
    (r"patch_embed_proj", "patch_embed.proj"),
    (r"blocks_(?P<b>\d+)_attn/(?P<t>query|key|value)", "blocks.{b}.attn.qkv"),
    (r"blocks_(?P<b>\d+)_attn/join", "blocks.{b}.attn.proj"),
    (r"blocks_(?P<b>\d+)_mlp_(?P<t>fc\d)", "blocks.{b}.mlp.{t}"),
    (r"blocks_(?P<b>\d+)_(?P<t>norm\d)", "blocks.{b}.{t}"),
    (r"(?P<t>norm|head)", "{t}"),
)
FAMILIES: dict[str, Names] = {"resnet": RESNET, "densenet": DENSENET, "deit": DEIT}
KINDS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
TOKENS = {"cls_token/token": "cls_token", "pos_embed/position": "pos_embed"}
HEADS = ("predictions/", "head/")


def load_pretrained(model: "keras.Model", path: str | Path) -> list[str]:
    """Loads the published weights of a network with the same trunk.

    Attention blocks that the original lacks keep their initial weights. The head is
    loaded if it has the same shape, and keeps its initial weights otherwise.

    Args:
        model: A network of `create_model`: a ResNet, DenseNet or DeiT with or without
            attention.
        path: A safetensors file with torchvision's or timm's names, such as the
            `model.safetensors` of `timm/resnet50.tv_in1k`; for a DenseNet also the
            `.h5` file of keras.applications.

    Returns:
        The paths of the weights that were not loaded.

    Raises:
        ValueError: If the file is missing or damaged, lacks a weight of the trunk, or
            has one of another shape. Then none is loaded.
    """
    path = Path(path)
    is_keras = path.suffix == ".h5"
    published = read_keras(path) if is_keras else read_safetensors(path)
    family = next((name for name in FAMILIES if name in model.name), None)
    if family is None:
        raise ValueError(
            f"No original is known for {model.name!r}. Expected a name that contains "
            f"one of {sorted(FAMILIES)}. Received: model.name={model.name!r}"
        )
    if is_keras and family != "densenet":  # its ResNet strides elsewhere
        raise ValueError(
            "Of keras.applications only the DenseNets compute the same as here. "
            f"Expected a safetensors file for {model.name!r}. Received: {path.name!r}"
        )
    found: dict[str, np.ndarray] = {}
    left: list[str] = []
    for weight in model.weights:
        name = original_name(weight.path, FAMILIES[family])
        if name is None:  # an attention block that the original lacks
            left.append(weight.path)
            continue
        name = weight.path if is_keras else name
        if name not in published:
            raise ValueError(
                f"The weights in {path.name!r} belong to another network. Expected "
                f"{name!r} for {weight.path!r}. Received: {len(published)} weights, "
                f"such as {sorted(published)[:3]}"
            )
        array = published[name]
        if not is_keras:
            array = _transposed(array, weight.path)
        if array.shape != tuple(weight.shape):
            if weight.path.startswith(HEADS):
                left.append(weight.path)
                continue
            raise ValueError(
                f"The weight {name!r} in {path.name!r} has another shape. Expected "
                f"{tuple(weight.shape)}. Received: {array.shape}"
            )
        found[weight.path] = array
    for weight in model.weights:
        if weight.path in found:
            weight.assign(found[weight.path])
    return left


def load_any(model: "keras.Model", path: str | Path) -> None:
    """Loads a file of `save_weights`, of torchvision, timm or Keras."""
    is_own = Path(path).suffix != ".h5" and any(
        "/" in n for n in read_safetensors(path)
    )
    if is_own:
        load_weights(model, path)
    else:
        load_pretrained(model, path)


def read_keras(path: Path) -> dict[str, np.ndarray]:
    """Reads a weights file of keras.applications, by paths like `conv1_conv/kernel`.

    Older files have `conv1/conv` and `fc1000` for `conv1_conv` and `predictions`.
    """
    import h5py

    arrays = {}
    try:
        with h5py.File(path) as file:
            for layer in map(_text, file.attrs["layer_names"]):
                name_here = {"fc1000": "predictions"}.get(
                    layer, layer.replace("/", "_")
                )
                for name in map(_text, file[layer].attrs["weight_names"]):
                    kind = name.rpartition("/")[2].removesuffix(":0")
                    arrays[f"{name_here}/{kind}"] = np.asarray(file[layer][name])
    except FileNotFoundError:
        raise ValueError(f"There is no weights file {str(path)!r}.") from None
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(
            f"The weights file {path.name!r} is damaged. Expected a complete HDF5 "
            f"file with Keras's layer names. Received: {error}"
        ) from error
    return arrays


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def original_name(path: str, family: Names) -> str | None:
    """Translates the path of a weight into the original's name.

    Args:
        path: Such as `"conv2_block1_1_conv/kernel"`.
        family: A value of `FAMILIES`.

    Returns:
        The name, or None if the original has no such weight.
    """
    if path in TOKENS:
        return TOKENS[path]
    layer, _, kind = path.rpartition("/")
    for pattern, name in family:
        match = re.fullmatch(pattern, layer)
        if match:
            parts: dict[str, str | int] = match.groupdict()
            for key in ("s", "b"):
                if key in parts:
                    parts[f"{key}1"] = int(parts[key]) - 1
            return f"{name.format(**parts)}.{KINDS[kind]}"
    return None


def _transposed(array: np.ndarray, path: str) -> np.ndarray:
    """Transposes an array from torch's order of axes to Keras's."""
    array = np.asarray(array, np.float32)
    for index, name in enumerate(("query", "key", "value")):
        if f"/{name}/" in path:  # timm stores the three in one array
            array = np.split(array, 3)[index]
    if path.endswith("/kernel"):
        if array.ndim == 4:
            return array.transpose(2, 3, 1, 0)  # (out, in, y, x) -> (y, x, in, out)
        return array.T
    return array
