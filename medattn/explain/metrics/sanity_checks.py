"""Does a map depend on the weights of the model? The randomisation test."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from medattn.explain.graph.operations import NORMALISERS
from medattn.explain.graph.trace import open_model
from medattn.explain.metrics.numeric import is_integer
from medattn.explain.metrics.pixel_maps import Channels, Sign, pixel_map
from medattn.explain.metrics.similarity import rank_correlation, structural_similarity


class Randomised(NamedTuple):
    """Similarity to the maps of the intact model; see `randomisation_check`."""

    depths: list[str | None]
    spearman: np.ndarray
    ssim: np.ndarray


def randomisation_check(
    explain_with: Callable[[keras.Model], Callable[[np.ndarray], Any]],
    model: keras.Model,
    images: np.ndarray,
    *,
    stages: int | None = None,
    channels: Channels = "sum",
    sign: Sign = "absolute",
    seed: int = 0,
) -> Randomised:
    """Randomises a model from the logits down and measures whether its maps change.

    Each stage permutes the entries of every weight of some more layers, from the logits
    back to the image, so that each weight keeps its distribution; the layer that
    normalises the image is left out. A map that stays the same explains the image, not
    the model. At the end the model gets its weights back.

    Args:
        explain_with: A function from a model to a function from images to maps; it is
            called again at every stage.
        model: A functional or Sequential `keras.Model`.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        stages: Number of stages; None takes one per layer.
        channels: See `pixel_map`.
        sign: See `pixel_map`.
        seed: Seed of the permutations.

    Returns:
        A `Randomised`: `depths`, the name of the deepest layer randomised so far, None
        first; `spearman`, the rank correlation, and `ssim`, the structural similarity
        (of maps scaled to a maximum of one), of the maps with those of the intact
        model, `(depths, batch)` each. NaN where a map is constant.

    Reference:
        [Adebayo et al., 2018](https://arxiv.org/abs/1810.03292), section 4.1.
    """
    layers = layers_from_the_top(model)
    stages = len(layers) if stages is None else stages
    if not is_integer(stages) or not 1 <= stages <= len(layers):
        raise ValueError(
            "Unusable number of stages. Expected stages from 1 "
            f"to {len(layers)}. Received: stages={stages!r}"
        )
    rng = np.random.default_rng(seed)

    def maps() -> np.ndarray:
        return pixel_map(explain_with(model)(images), channels=channels, sign=sign)

    intact = maps()
    depths: list[str | None] = [None]
    found = [intact]
    original = [weight.numpy() for weight in model.weights]
    try:
        for stage in np.array_split(np.arange(len(layers)), stages):
            for index in stage:
                for weight in layers[index].weights:
                    permuted = rng.permutation(np.ravel(weight.numpy()))
                    weight.assign(permuted.reshape(weight.shape))
            depths.append(layers[stage[-1]].name)
            found.append(maps())
    finally:
        for weight, values in zip(model.weights, original, strict=True):
            weight.assign(values)
    return Randomised(
        depths,
        np.stack([rank_correlation(intact, each) for each in found]),
        np.stack([structural_similarity(intact, each) for each in found]),
    )


def layers_from_the_top(model: keras.Model) -> list[keras.layers.Layer]:
    """Lists the layers with weights, from the logits back, each once.

    Layers inside nested models are listed one by one; other composite layers are one.
    """
    found: dict[int, keras.layers.Layer] = {}
    for step in reversed(open_model(model, lambda layer: True).steps):
        layer = step.operation
        if getattr(layer, "weights", None) and type(layer).__name__ not in NORMALISERS:
            found.setdefault(id(layer), layer)
    if not found:
        raise ValueError(
            "There is nothing to randomise. Expected a model with layers that have "
            f"weights. Received: {model.name!r}"
        )
    return list(found.values())
