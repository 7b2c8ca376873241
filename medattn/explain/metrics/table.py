"""All measures of several methods side by side, with the two baselines to beat."""

import numpy as np
from keras import ops

from medattn.explain.api import create_analyzer
from medattn.explain.backend import value_and_gradients
from medattn.explain.gradient.family import Input
from medattn.explain.metrics import localisation as quality
from medattn.explain.metrics.deletion_curves import deletion, insertion
from medattn.explain.metrics.sanity_checks import max_sensitivity, randomisation_check

RANDOM, EDGES = "random map", "edge detector"

# Which end of each measure is better; None where neither is.
BETTER = {
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


def evaluate_maps(
    model,
    images,
    analyzers,
    *,
    neuron,
    masks=None,
    artefacts=None,
    checks=True,
    channels="sum",
    sign="absolute",
    replacement="blur",
    steps=32,
    radius=0.02,
    samples=10,
    seed=0,
):
    """Measures the maps of several methods, a random map and an edge detector.

    Args:
        model: A functional or Sequential `keras.Model` from images to logits.
        images: `(batch, height, width, channels)`, pixels in [0, 1].
        analyzers: Names as in `list_analyzers()`; or a dict from a title to a function
            from a model to a function from images to maps.
        neuron: The logit that is explained, one integer or one a sample.
        masks: Where the evidence lies, `(batch, height, width)`, bool; without it the
            measures that need it are left out.
        artefacts: Where a known shortcut lies, same shape; likewise.
        checks: Whether to randomise the model (all of it, at once) and to add noise,
            which builds every analyzer twice.
        channels: How a pixel's channels become one number, see `quality.pixel_map`.
        sign: What counts, `"absolute"` or `"positive"`. Deletion and insertion go by
            the signed map always, the positive first.
        replacement: Of deletion and insertion, as there.
        steps: Likewise.
        radius: Of `max_sensitivity`.
        samples: Likewise.
        seed: Of the random map, ties, the shuffling and the noise.

    Returns:
        From each title, those of `analyzers` and then `"random map"` and `"edge
        detector"`, to a dict from each measure of `BETTER` to its values, `(batch,)`.
        Deletion and insertion are areas under the probability of the neuron. NaN is
        unknown: average with `numpy.nanmean`, or see `mean_rows`.
    """
    predict = _probability(model, images, neuron)
    read = dict(channels=channels, sign=sign)
    table = {}
    for title, explain_with in _methods(analyzers, neuron, seed).items():
        explain = explain_with(model)
        maps = explain(images)
        row = table[title] = {}
        if masks is not None:
            for name in (
                "relevance_mass",
                "relevance_rank",
                "pointing_game",
                "relevance_auc",
                "area_gain",
            ):
                row[name] = getattr(quality, name)(maps, masks, **read)
        if masks is not None and artefacts is not None:
            row["shortcut_share"] = quality.shortcut_share(
                maps, masks, artefacts, **read
            )
        for curve in (deletion, insertion):
            row[curve.__name__] = curve(
                predict, images, maps, replacement=replacement, steps=steps, seed=seed
            ).area
        if checks:
            found = randomisation_check(
                explain_with, model, images, stages=1, seed=seed, **read
            )
            row["randomised_spearman"] = found.spearman[-1]
            row["randomised_ssim"] = found.ssim[-1]
            row["max_sensitivity"] = max_sensitivity(
                explain, images, radius=radius, samples=samples, seed=seed
            )
        row["sparseness"] = quality.sparseness(maps, **read)
    return table


def mean_rows(table):
    """Averages `evaluate_maps` over images, one row a method.

    Args:
        table: What `evaluate_maps` returned.

    Returns:
        A list of dicts: `map`, then each measure's mean over the images where it is
        known; NaN where it is known for none.
    """
    return [
        {"map": title} | {name: _mean(values) for name, values in measures.items()}
        for title, measures in table.items()
    ]


def explainer(name, neuron, **options):
    """Says how a method is built, in the form that the checks ask for.

    Args:
        name: As in `create_analyzer`.
        neuron: The logit to explain, one integer or one a sample.
        **options: Of the analyzer.

    Returns:
        A function from a model to a function from images to maps.
    """

    def explain_with(model):
        analyzer = create_analyzer(
            name, model, neuron_selection_mode="index", **options
        )
        return lambda images: analyzer.analyze(images, neuron)

    return explain_with


def _methods(analyzers, neuron, seed):
    if isinstance(analyzers, str):
        analyzers = [analyzers]
    if not isinstance(analyzers, dict):
        analyzers = {name: explainer(name, neuron) for name in analyzers}
    rng = np.random.default_rng(seed)
    baselines = {
        # New noise each time: it depends on nothing.
        RANDOM: lambda model: lambda images: rng.normal(size=np.shape(images)),
        EDGES: lambda model: quality.edge_map,
    }
    taken = sorted(set(baselines) & set(analyzers))
    if taken:
        raise ValueError(
            "The baselines are always there under their own names. Expected other "
            f"titles. Received: {taken}"
        )
    return analyzers | baselines


def _probability(model, images, neuron):
    """Compiles the probability of the neuron that is explained."""
    reader = Input(model, "index")
    neurons = reader._checked(images, neuron)[1]

    def chances(given):
        logits = ops.cast(reader.logits(given), "float32")
        squash = ops.sigmoid if reader.classes == 1 else ops.softmax
        return 0.0, squash(logits)

    compiled = value_and_gradients(chances, gradients=False)
    rows = np.arange(len(neurons))
    return lambda changed: compiled([changed])[1][rows, neurons]


def _mean(values):
    known = np.asarray(values)[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
