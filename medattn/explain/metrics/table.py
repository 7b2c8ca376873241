"""All metrics of several methods in one table, with the two baselines."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import keras
import numpy as np
from keras import ops

from medattn.explain.api import create_analyzer
from medattn.explain.backend import value_and_gradients
from medattn.explain.gradient.baselines import Input
from medattn.explain.metrics import localisation
from medattn.explain.metrics.deletion_curves import deletion, insertion
from medattn.explain.metrics.pixel_maps import Channels, Sign, edge_map
from medattn.explain.metrics.road import road
from medattn.explain.metrics.saco import saco
from medattn.explain.metrics.sanity_checks import randomisation_check
from medattn.explain.metrics.sensitivity import max_sensitivity
from medattn.explain.metrics.sparseness import sparseness
from medattn.layers.tensor import Tensor

Explain: TypeAlias = Callable[[np.ndarray], Any]  # from images to maps
Table: TypeAlias = dict[str, dict[str, np.ndarray]]

RANDOM, EDGES = "random map", "edge detector"

# Which end of each metric is better; None where neither is.
BETTER: dict[str, Literal["high", "low"] | None] = {
    "relevance_mass": "high",
    "relevance_rank": "high",
    "pointing_game": "high",
    "relevance_auc": "high",
    "area_gain": "high",
    "shortcut_share": "low",
    "deletion": "low",
    "insertion": "high",
    "randomised_spearman": "low",
    "randomised_ssim": "low",
    "max_sensitivity": "low",
    "sparseness": None,
}
# Metrics that are measured if asked for.
OPTIONAL: dict[str, Literal["high", "low"]] = {
    "saco": "high",
    "road_most": "low",
    "road_least": "high",
}
LOCALISATION = {
    "relevance_mass": localisation.relevance_mass,
    "relevance_rank": localisation.relevance_rank,
    "pointing_game": localisation.pointing_game,
    "relevance_auc": localisation.relevance_auc,
    "area_gain": localisation.area_gain,
}


def evaluate_maps(
    model: keras.Model,
    images: np.ndarray,
    analyzers: str | Iterable[str] | Mapping[str, Callable[[keras.Model], Explain]],
    *,
    neuron: int | Sequence[int] | np.ndarray,
    masks: np.ndarray | None = None,
    artefacts: np.ndarray | None = None,
    checks: bool = True,
    channels: Channels = "sum",
    sign: Sign = "absolute",
    replacement: str | np.ndarray = "blur",
    steps: int = 32,
    radius: float = 0.02,
    samples: int = 10,
    seed: int = 0,
    also: Sequence[str] = (),
) -> Table:
    """Measures the maps of several methods, a random map and an edge detector.

    Args:
        model: A functional or Sequential `keras.Model` from images to logits.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        analyzers: Names as in `list_analyzers()`; or a dict from a title to a function
            from a model to a function from images to maps.
        neuron: The logit that is explained, one integer or one per sample.
        masks: Where the evidence is, `(batch, height, width)`, bool; without masks the
            metrics that need them are left out.
        artefacts: Where a known shortcut is, same shape; likewise.
        checks: Whether to randomise the model (all of it, at once) and to add noise,
            which builds every analyzer twice.
        channels: How the channels of a pixel become one number, see `pixel_map`.
        sign: What counts, `"absolute"` or `"positive"`. Deletion and insertion always
            use the signed map, positive relevance first.
        replacement: See `deletion`.
        steps: See `deletion`.
        radius: See `max_sensitivity`.
        samples: See `max_sensitivity`.
        seed: Seed of the random map, ties, the permutations and the noise.
        also: Which of `OPTIONAL` to measure, too: `"saco"`, `"road_most"` and
            `"road_least"`, the mean probability while the most or least relevant
            pixels are removed.

    Returns:
        From each title, those of `analyzers` and then `"random map"` and `"edge
        detector"`, to a dict from each metric of `BETTER` to its values, `(batch,)`.
        Deletion and insertion are areas under the probability of the neuron. NaN is
        unknown: average with `numpy.nanmean`, or see `mean_rows`.
    """
    unknown = sorted(set(also) - set(OPTIONAL))
    if unknown:
        raise ValueError(
            f"Unknown metrics. Expected some of {list(OPTIONAL)}. "
            f"Received: also={unknown}"
        )
    predict = _probability(model, images, neuron)
    table: Table = {}
    for title, explain_with in _methods(analyzers, neuron, seed).items():
        explain = explain_with(model)
        maps = explain(images)
        row = table[title] = {}
        if masks is not None:
            for name, metric in LOCALISATION.items():
                row[name] = metric(maps, masks, channels=channels, sign=sign)
            if artefacts is not None:
                row["shortcut_share"] = localisation.shortcut_share(
                    maps, masks, artefacts, channels=channels, sign=sign
                )
        for curve in (deletion, insertion):
            row[curve.__name__] = curve(
                predict, images, maps, replacement=replacement, steps=steps, seed=seed
            ).area
        for name in also:
            row[name] = _optional(name, predict, images, maps, seed)
        if checks:
            found = randomisation_check(
                explain_with,
                model,
                images,
                stages=1,
                channels=channels,
                sign=sign,
                seed=seed,
            )
            row["randomised_spearman"] = found.spearman[-1]
            row["randomised_ssim"] = found.ssim[-1]
            row["max_sensitivity"] = max_sensitivity(
                explain, images, radius=radius, samples=samples, seed=seed
            )
        row["sparseness"] = sparseness(maps, channels=channels, sign=sign)
    return table


def mean_rows(
    table: Mapping[str, Mapping[str, np.ndarray]],
) -> list[dict[str, str | float]]:
    """Averages `evaluate_maps` over images, one row per method.

    Args:
        table: What `evaluate_maps` returned.

    Returns:
        A list of dicts: `map`, then the mean of each metric over the images where it is
        known; NaN where it is known for none.
    """
    return [
        {"map": title} | {name: _mean(values) for name, values in metrics.items()}
        for title, metrics in table.items()
    ]


def explainer(
    name: str, neuron: int | Sequence[int] | np.ndarray, **options: Any
) -> Callable[[keras.Model], Explain]:
    """Returns how an analyzer is built, in the form that the checks need.

    Args:
        name: See `create_analyzer`.
        neuron: The logit to explain, one integer or one per sample.
        **options: Options of the analyzer.

    Returns:
        A function from a model to a function from images to maps.
    """

    def explain_with(model: keras.Model) -> Explain:
        analyzer = create_analyzer(
            name, model, neuron_selection_mode="index", **options
        )
        return lambda images: analyzer.analyze(images, neuron)

    return explain_with


def _methods(
    analyzers: str | Iterable[str] | Mapping[str, Callable[[keras.Model], Explain]],
    neuron: int | Sequence[int] | np.ndarray,
    seed: int,
) -> dict[str, Callable[[keras.Model], Explain]]:
    """Returns the methods by title, with the baselines last."""
    if isinstance(analyzers, str):
        analyzers = [analyzers]
    if isinstance(analyzers, Mapping):
        methods = dict(analyzers)
    else:
        methods = {name: explainer(name, neuron) for name in analyzers}
    rng = np.random.default_rng(seed)
    baselines: dict[str, Callable[[keras.Model], Explain]] = {
        # New noise at each call: the map depends on nothing.
        RANDOM: lambda model: lambda images: rng.normal(size=np.shape(images)),
        EDGES: lambda model: edge_map,
    }
    reserved = sorted(set(baselines) & set(methods))
    if reserved:
        raise ValueError(
            "The titles of the baselines are reserved. Expected other "
            f"titles. Received: {reserved}"
        )
    return methods | baselines


def _probability(
    model: keras.Model,
    images: np.ndarray,
    neuron: int | Sequence[int] | np.ndarray,
) -> Callable[[np.ndarray], np.ndarray]:
    """Compiles the probability of the neuron that is explained."""
    reader = Input(model, "index")
    neurons = reader._checked(images, neuron)[1]

    def probabilities(given: list[Tensor]) -> tuple[float, Tensor]:
        logits = ops.cast(reader.logits(given), "float32")
        activation = ops.sigmoid if reader.classes == 1 else ops.softmax
        return 0.0, activation(logits)

    compiled = value_and_gradients(probabilities, gradients=False)
    rows = np.arange(len(neurons))
    return lambda changed: compiled([changed])[1][rows, neurons]


def _optional(
    name: str,
    predict: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    maps: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Measures one of `OPTIONAL`."""
    if name == "saco":
        return saco(predict, images, maps, seed=seed)
    order: Literal["most", "least"] = "most" if name == "road_most" else "least"
    return road(predict, images, maps, order=order, seed=seed).area


def _mean(values: np.ndarray) -> float:
    known = np.asarray(values)[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
