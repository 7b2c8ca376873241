"""Who falls for a shortcut: networks taught with a mark, where it stops telling."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from medattn.data import draw_images
from medattn.explain import relevance_mass
from medattn.figures import pixel_relevance
from medattn.study import probabilities, score_predictions

IMAGES = 200  # of the test split, drawn once for each correlation
MAPS = 48  # of which the first ones are explained
POSITIVE = 1


@dataclass(frozen=True)
class Fallen:
    """One network on test sets that differ only in whom they give the mark.

    Attributes:
        cell: The network.
        strengths: Correlations of mark and class in the test sets: as it was taught,
            none, and the opposite.
        auroc, low, high: On each set, with its 95% DeLong interval.
        on_mark: Mean share of relevance on the mark, over explained images that bear
            one; NaN where none does.
        in_evidence: Mean share inside the evidence, over explained positives.
        mark_area, evidence_area: What a map of chance would put there.
    """

    cell: object
    strengths: tuple
    auroc: tuple
    low: tuple
    high: tuple
    on_mark: tuple
    in_evidence: tuple
    mark_area: float
    evidence_area: float


def taught_networks(bench, cell):
    """Finds the networks to compare: of the cell's backbone, taught with a mark.

    Args:
        bench: The `Bench`.
        cell: The `Cell` on the page; those of its regime are taken, or else of all the
            data.

    Returns:
        A list of `Cell`s, the controls (correlation 0) among them; empty if none is
        shipped.
    """
    mine = [
        other
        for other in bench.networks(cell.dataset, plain=False)
        if other.shortcut is not None
        and (other.backbone, other.seed) == (cell.backbone, cell.seed)
    ]
    same = [other for other in mine if other.regime == cell.regime]
    return same or [other for other in mine if other.regime == 1.0]


def fall(model, analyzer, cell, strength):
    """Asks a network about the test sets of a correlation, of none, of its opposite.

    Args:
        model: The `keras.Model` bearing the weights.
        analyzer: An analyzer of it, with `neuron_selection_mode="index"`.
        cell: The `Cell`.
        strength: The correlation.

    Returns:
        A `Fallen`.
    """
    strengths = (strength, 0.0, -strength)
    columns = {name: [] for name in ("auroc", "low", "high", "on_mark", "in_evidence")}
    areas = [[], []]
    for rho in strengths:
        drawn = marked_tests(cell.dataset, rho)
        images = drawn["image"].astype(np.float32) / 255
        scores = score_predictions(
            drawn["label"], probabilities(model, images), draws=0
        )
        columns["auroc"].append(scores["auroc"])
        columns["low"].append(scores["auroc_low"])
        columns["high"].append(scores["auroc_high"])
        maps = analyzer.analyze(images[:MAPS], POSITIVE)
        relevance = np.stack([pixel_relevance(one) for one in maps])
        for name, key, area in (
            ("on_mark", "artefact", areas[0]),
            ("in_evidence", "evidence", areas[1]),
        ):
            masks = drawn[key][:MAPS]
            bears = masks.any(axis=(1, 2))
            shares = [np.nan]
            if bears.any():
                shares = relevance_mass(relevance[bears], masks[bears])
                area += masks[bears].mean(axis=(1, 2)).tolist()
            known = np.asarray(shares)[np.isfinite(shares)]
            columns[name].append(float(known.mean()) if len(known) else np.nan)
    return Fallen(
        cell,
        strengths,
        *(tuple(values) for values in columns.values()),
        *(float(np.mean(area)) for area in areas),
    )


@lru_cache(maxsize=12)
def marked_tests(dataset, strength):
    """Draws the first test images with a mark of this correlation with the class.

    Args:
        dataset: A drawn data set.
        strength: In [-1, 1].

    Returns:
        A dict with `image` (uint8), `label`, `evidence` and `artefact`.
    """
    drawn = draw_images(dataset, range(IMAGES), shortcut=strength)
    return {key: drawn[key] for key in ("image", "label", "evidence", "artefact")}
