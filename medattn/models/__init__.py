"""Backbones with an optional attention block, by name."""

from functools import partial

from medattn.models.blocks import ATTENTION
from medattn.models.resnet import resnet
from medattn.models.weights import load_weights, save_weights

__all__ = [
    "ATTENTION",
    "MODELS",
    "create_model",
    "list_models",
    "load_weights",
    "resnet",
    "save_weights",
]

RESNET50 = dict(blocks=(3, 4, 6, 3), widths=(64, 128, 256, 512))
MICRO_RESNET = dict(
    blocks=(1, 1, 1), widths=(8, 16, 16), stem_width=16, stem_kernel=5, ratio=8
)

MODELS = {
    "resnet50": partial(resnet, **RESNET50),
    "se_resnet50": partial(resnet, **RESNET50, attention="se"),
    "cbam_resnet50": partial(resnet, **RESNET50, attention="cbam"),
    "micro_resnet": partial(resnet, **MICRO_RESNET),
    "se_micro_resnet": partial(resnet, **MICRO_RESNET, attention="se"),
    "cbam_micro_resnet": partial(resnet, **MICRO_RESNET, attention="cbam"),
}


def list_models():
    """Returns the names that `create_model` takes."""
    return list(MODELS)


def create_model(name, *, num_classes=2, input_shape=None):
    """Builds a network with random weights.

    Args:
        name: One of `list_models()`.
        num_classes: Number of logits.
        input_shape: `(height, width, channels)`; 64 x 64 x 3 for a micro network and
            224 x 224 x 3 for the others, unless given.

    Returns:
        A functional `keras.Model`: images `(batch, height, width, channels)`, float32
        in [0, 1], to logits `(batch, num_classes)`.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in MODELS:
        raise ValueError(
            f"Unknown model {name!r}. Expected one of {list_models()}. "
            f"Received: name={name!r}"
        )
    if input_shape is None:
        input_shape = (64, 64, 3) if "micro" in name else (224, 224, 3)
    return MODELS[name](num_classes, input_shape, name=name)
