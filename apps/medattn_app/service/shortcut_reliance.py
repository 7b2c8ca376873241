"""Shortcut reliance: networks trained with a mark, tested on images with others."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from medattn.data import draw_images
from medattn.explain import relevance_mass
from medattn.figures import pixel_relevance
from medattn.study import probabilities, score_predictions
from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import Network
from medattn_app.service.analyzers import POSITIVE
from medattn_app.service.networks import NetworkService

MAX_TEST_IMAGES = 200  # of the test split, rendered once for each correlation
MAX_EXPLAINED_IMAGES = 48  # of these, the first ones


@dataclass(frozen=True)
class ShortcutReliance:
    """One network on test sets that differ only in which images have the mark.

    Attributes:
        cell: The network.
        strengths: Correlations of mark and class in the test sets: that of its training
            images, none, and the opposite.
        auroc, low, high: On each set, with its 95% DeLong interval.
        on_mark: Mean fraction of relevance on the mark, over explained images that have
            one; NaN where none does.
        in_evidence: Mean fraction inside the evidence, over explained positives.
        mark_area, evidence_area: The same fractions of a random map.
    """

    cell: Cell
    strengths: tuple[float, ...]
    auroc: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    on_mark: tuple[float, ...]
    in_evidence: tuple[float, ...]
    mark_area: float
    evidence_area: float


def shortcut_networks(service: NetworkService, cell: Cell) -> list[Cell]:
    """Finds the networks to compare: of the cell's backbone, trained with a mark.

    Args:
        service: The `NetworkService`.
        cell: The `Cell` on the page; networks of its regime are taken, or else of all
            the data.

    Returns:
        The `Cell`s, the controls (correlation 0) among them; empty if none is shipped.
    """
    marked = [
        other
        for other in service.networks(cell.dataset, plain=False)
        if other.shortcut is not None
        and (other.backbone, other.seed) == (cell.backbone, cell.seed)
    ]
    same = [other for other in marked if other.regime == cell.regime]
    return same or [other for other in marked if other.regime == 1.0]


def measure_shortcut_reliance(
    model: Network, analyzer: Any, cell: Cell, strength: float
) -> ShortcutReliance:
    """Tests a network where the mark correlates with the class, not, and oppositely.

    Args:
        model: The model with the cell's weights.
        analyzer: An analyzer of it, with `neuron_selection_mode="index"`.
        cell: The `Cell`.
        strength: The correlation of its training images.
    """
    strengths = (strength, 0.0, -strength)
    names = ("auroc", "low", "high", "on_mark", "in_evidence")
    columns: dict[str, list[float]] = {name: [] for name in names}
    areas: tuple[list[float], list[float]] = ([], [])
    for rho in strengths:
        tests = marked_tests(cell.dataset, rho)
        images = tests["image"].astype(np.float32) / 255
        scores = score_predictions(
            tests["label"], probabilities(model, images), draws=0
        )
        columns["auroc"].append(scores["auroc"])
        columns["low"].append(scores["auroc_low"])
        columns["high"].append(scores["auroc_high"])
        maps = analyzer.analyze(images[:MAX_EXPLAINED_IMAGES], POSITIVE)
        relevance = np.stack([pixel_relevance(one) for one in maps])
        for name, key, area in (
            ("on_mark", "artefact", areas[0]),
            ("in_evidence", "evidence", areas[1]),
        ):
            masks = tests[key][:MAX_EXPLAINED_IMAGES]
            present = masks.any(axis=(1, 2))
            fractions = np.array([np.nan])
            if present.any():
                fractions = relevance_mass(relevance[present], masks[present])
                area += masks[present].mean(axis=(1, 2)).tolist()
            known = np.asarray(fractions)[np.isfinite(fractions)]
            columns[name].append(float(known.mean()) if len(known) else np.nan)
    mark_area, evidence_area = (float(np.mean(area)) for area in areas)
    return ShortcutReliance(
        cell,
        strengths,
        **{name: tuple(values) for name, values in columns.items()},
        mark_area=mark_area,
        evidence_area=evidence_area,
    )


@lru_cache(maxsize=12)
def marked_tests(dataset: str, strength: float) -> Mapping[str, np.ndarray]:
    """Renders the first test images with a mark that correlates with the class.

    Args:
        dataset: A synthetic data set.
        strength: The correlation, in [-1, 1].

    Returns:
        A dict with `image` (uint8), `label`, `evidence` and `artefact`.
    """
    tests = draw_images(dataset, range(MAX_TEST_IMAGES), shortcut=strength)
    return {key: tests[key] for key in ("image", "label", "evidence", "artefact")}
