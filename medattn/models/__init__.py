"""Backbones with an optional attention block, by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras

from medattn.models.attach import attach
from medattn.models.blocks import ATTENTION
from medattn.models.complexity import complexity
from medattn.models.deit import deit
from medattn.models.densenet import densenet
from medattn.models.imagenet import imagenet_file
from medattn.models.pretrained import load_any, load_pretrained
from medattn.models.resnet import resnet
from medattn.models.weights import load_weights, save_weights

__all__ = [
    "ATTENTION",
    "MODELS",
    "attach",
    "complexity",
    "create_model",
    "deit",
    "densenet",
    "list_models",
    "load_pretrained",
    "load_weights",
    "resnet",
    "save_weights",
]

# As in the study, the DenseNet flattens its last maps and the ResNet averages them.
DENSENET121 = partial(densenet, blocks=(6, 12, 24, 16), growth=32, pooling="flatten")
RESNET50 = partial(resnet, blocks=(3, 4, 6, 3), widths=(64, 128, 256, 512))

# For images of 64 x 64 and two cores; all average their last maps.
MICRO_DENSENET = partial(
    densenet, blocks=(2, 3, 3), growth=8, stem_width=16, stem_kernel=5, ratio=8
)
MICRO_RESNET = partial(
    resnet,
    blocks=(1, 1, 1),
    widths=(8, 16, 16),
    stem_width=16,
    stem_kernel=5,
    ratio=8,
)

MODELS: dict[str, Callable[..., keras.Model]] = {
    "densenet121": DENSENET121,
    "resnet50": RESNET50,
    "se_densenet121": partial(DENSENET121, attention="se"),
    "se_resnet50": partial(RESNET50, attention="se"),
    "cbam_densenet121": partial(DENSENET121, attention="cbam"),
    "cbam_resnet50": partial(RESNET50, attention="cbam"),
    "deit_tiny": partial(deit, patch=16, dim=192, depth=12, heads=3),
    "micro_densenet": MICRO_DENSENET,
    "micro_resnet": MICRO_RESNET,
    "se_micro_densenet": partial(MICRO_DENSENET, attention="se"),
    "se_micro_resnet": partial(MICRO_RESNET, attention="se"),
    "cbam_micro_densenet": partial(MICRO_DENSENET, attention="cbam"),
    "cbam_micro_resnet": partial(MICRO_RESNET, attention="cbam"),
    "micro_deit": partial(deit, patch=8, dim=32, depth=3, heads=2, mlp_ratio=2),
}


def list_models() -> list[str]:
    """Returns the names that `create_model` takes."""
    return list(MODELS)


def create_model(
    name: str,
    *,
    num_classes: int = 2,
    input_shape: tuple[int, int, int] | None = None,
    weights: str | Path | None = None,
    **options: Any,
) -> keras.Model:
    """Builds a network, with random weights or with given ones.

    Args:
        name: One of `list_models()`.
        num_classes: Number of logits.
        input_shape: `(height, width, channels)`; 64 x 64 x 3 for a micro network and
            224 x 224 x 3 for the others, unless given.
        weights: None for random ones; a file of `save_weights`, torchvision, timm or
            keras.applications' DenseNet; or `"imagenet"`, which downloads the published
            ones to the cache of huggingface_hub or Keras. A file that you put into
            `~/.medattn/weights`, or into the folder that MEDATTN_WEIGHTS names, is
            used first. Attention blocks that the file lacks keep their initial
            weights, and so does the head if the number of classes differs.
        **options: Of the builder, such as `ratio`, or `pooling="avg"` where the study
            flattens (DenseNet-121).

    Returns:
        A functional `keras.Model`: images `(batch, height, width, channels)`, float32
        in [0, 1], to logits `(batch, num_classes)`.

    Raises:
        ValueError: If the name is unknown, or the weights do not fit; then none is
            loaded.
        OSError: If the ImageNet weights cannot be downloaded; the message says which
            file to download and where to put it.
    """
    if name not in MODELS:
        raise ValueError(
            f"Unknown model {name!r}. Expected one of {list_models()}. "
            f"Received: name={name!r}"
        )
    if input_shape is None:
        input_shape = (64, 64, 3) if "micro" in name else (224, 224, 3)
    if weights == "imagenet":
        weights = imagenet_file(name)
    model = MODELS[name](num_classes, input_shape, name=name, **options)
    if weights is not None:
        load_any(model, weights)
    return model
