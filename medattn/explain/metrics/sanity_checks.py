"""Does a map depend on the model, and keep still when the image hardly moves?"""

from collections import namedtuple

import numpy as np

from medattn.explain.graph.operations import NORMALISERS
from medattn.explain.graph.trace import open_model
from medattn.explain.metrics.localisation import divided, pixel_map

Randomised = namedtuple("Randomised", "depths spearman ssim")


def randomisation_check(
    explain_with,
    model,
    images,
    *,
    stages=None,
    channels="sum",
    sign="absolute",
    seed=0,
):
    """Randomises a model from the top down and asks whether its maps change.

    Each stage shuffles the entries of every weight of some more layers, from the logits
    back to the image, so that each keeps its distribution and its range; the layer that
    normalises the image stays. A map that stays the same explains the image, not the
    model. Afterwards the model has its own weights again.

    Args:
        explain_with: A function from a model to a function from images to maps; it is
            called anew at every stage.
        model: A functional or Sequential `keras.Model`.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        stages: In how many stages; None takes one a layer.
        channels: See `pixel_map`.
        sign: See `pixel_map`.
        seed: Of the shuffling.

    Returns:
        A `Randomised`: `depths`, the name of the deepest layer randomised so far, None
        first; `spearman`, the rank correlation, and `ssim`, the structural similarity
        (of maps scaled to a largest size of one), of the maps with those of the intact
        model, `(depths, batch)` each. NaN where a map is even.

    Reference:
        [Adebayo et al., 2018](https://arxiv.org/abs/1810.03292), section 4.1.
    """
    layers = layers_from_the_top(model)
    stages = len(layers) if stages is None else stages
    whole = isinstance(stages, int) and not isinstance(stages, bool)
    if not whole or not 1 <= stages <= len(layers):
        raise ValueError(
            "The model cannot be randomised in so many stages. Expected stages from 1 "
            f"to {len(layers)}. Received: stages={stages!r}"
        )
    rng = np.random.default_rng(seed)

    def maps():
        return pixel_map(explain_with(model)(images), channels=channels, sign=sign)

    intact = maps()
    depths, found = [None], [intact]
    kept = [weight.numpy() for weight in model.weights]
    try:
        for part in np.array_split(np.arange(len(layers)), stages):
            for at in part:
                for weight in layers[at].weights:
                    shuffled = rng.permutation(np.ravel(weight.numpy()))
                    weight.assign(shuffled.reshape(weight.shape))
            depths.append(layers[part[-1]].name)
            found.append(maps())
    finally:
        for weight, values in zip(model.weights, kept, strict=True):
            weight.assign(values)
    return Randomised(
        depths,
        np.stack([rank_correlation(intact, one) for one in found]),
        np.stack([structural_similarity(intact, one) for one in found]),
    )


def max_sensitivity(explain, images, *, radius=0.02, samples=10, seed=0):
    """Measures how much a map changes, at most, when the image hardly does.

    `max_d |R(x + d) - R(x)| / |R(x)|` over noise d, even in [-radius, radius], with the
    Euclidean length |.|. The same noise is used for every image.

    Args:
        explain: A function from images to maps.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        radius: Largest change of a pixel.
        samples: How many noises are tried; more can only raise the result.
        seed: Of the noise.

    Returns:
        Ratios >= 0, `(batch,)`; NaN where there is no relevance.

    Reference:
        [Yeh et al., 2019](https://arxiv.org/abs/1901.09392), definition 3, estimated
        by sampling as there, and divided by |R(x)|.
    """
    whole = isinstance(samples, int) and not isinstance(samples, bool)
    if not radius > 0 or not whole or samples < 1:
        raise ValueError(
            "Nothing would be disturbed. Expected radius > 0 and samples of one or "
            f"more. Received: radius={radius!r}, samples={samples!r}"
        )
    images = np.asarray(images, np.float32)
    rng = np.random.default_rng(seed)
    still = np.asarray(explain(images), np.float64)
    length = _length(still)
    largest = np.zeros(len(images))
    for _ in range(samples):
        noise = rng.uniform(-radius, radius, images.shape[1:]).astype(np.float32)
        moved = np.asarray(explain(images + noise), np.float64)
        largest = np.maximum(largest, _length(moved - still))
    return np.where(length > 0, divided(largest, length), np.nan)


def layers_from_the_top(model):
    """Lists the layers with weights, from the logits back, each once.

    Layers inside nested models count one by one; other composite layers are one.
    """
    found = {}
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


def rank_correlation(one, other):
    """Spearman's correlation of the pixels of two batches of maps, `(batch,)`."""
    from scipy.stats import rankdata

    a, b = (rankdata(m.reshape(len(m), -1), axis=1) for m in (one, other))
    a, b = (m - m.mean(axis=1, keepdims=True) for m in (a, b))
    spread = _length(a) * _length(b)
    return np.where(spread > 0, divided((a * b).sum(axis=1), spread), np.nan)


def structural_similarity(one, other):
    """SSIM of two batches of maps, each scaled to a largest size of one, `(batch,)`."""
    from skimage.metrics import structural_similarity as ssim

    window = min(7, *one.shape[1:])
    window -= 1 - window % 2
    found = []
    for a, b in zip(one, other, strict=True):
        largest = np.abs(a).max(), np.abs(b).max()
        if not all(largest) or window < 3:
            found.append(np.nan)
            continue
        span = 2.0 if min(a.min(), b.min()) < 0 else 1.0
        a, b = a / largest[0], b / largest[1]
        found.append(ssim(a, b, win_size=window, data_range=span))
    return np.array(found)


def _length(maps):
    return np.sqrt((maps.reshape(len(maps), -1) ** 2).sum(axis=1))
