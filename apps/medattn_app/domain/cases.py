"""One image on the page: of a synthetic test set, or uploaded by a visitor."""

import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, wraps
from hashlib import sha256
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np

SIZE, LARGE = 64, 384  # pixels that the networks see; pixels that the page shows
# Indices in the test sets: healthy ones, and positives from plain to barely visible.
GALLERIES = {
    "fundus": (3, 5, 0, 17, 7, 22, 11, 40),
    "dermoscopy": (0, 1, 2, 3, 4, 5, 6, 7),
    "chest": (0, 1, 2, 3, 4, 5, 6, 7),
}
Rest = ParamSpec("Rest")
Value = TypeVar("Value")
_rendering = threading.Lock()


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be a key
class Case:
    """One image on the page.

    Attributes:
        pixels: What the networks see, `(64, 64, 3)`, float32 in [0, 1].
        picture: What the learner sees, `(height, width, 3)`, float32 in [0, 1].
        dataset: The data set it belongs to; of an uploaded image, the one that the
            page showed when it came.
        position: Its index in the test set, or None if it was uploaded.
        label: 0 or 1, or None where nobody knows.
        grade: Grade of the disease, from 1; 0 where it is not graded.
        evidence: `(64, 64)`, bool, or None.
    """

    pixels: np.ndarray
    picture: np.ndarray = field(repr=False)
    dataset: str = "fundus"
    position: int | None = None
    label: int | None = None
    grade: int = 0
    evidence: np.ndarray | None = None

    @cached_property
    def key(self) -> str:
        """A hash of what a network sees and of the evidence: equal for equal cases."""
        digest = sha256(np.ascontiguousarray(self.pixels).tobytes())
        if self.evidence is not None:
            digest.update(np.packbits(self.evidence).tobytes())
        return digest.hexdigest()[:16]

    @property
    def has_evidence(self) -> bool:
        """Whether there is evidence to compare a map with."""
        return self.evidence is not None and bool(self.evidence.any())


def cached_per_case(
    function: Callable[Concatenate[Case, Rest], Value],
) -> Callable[Concatenate[Case, Rest], Value]:
    """Caches what a function of a case returns, for as long as the case exists.

    A visitor's image is forgotten with its session; no cache may hold it longer.

    Args:
        function: Takes a `Case`, and then positional, hashable arguments.
    """
    cache: weakref.WeakKeyDictionary[Case, dict] = weakref.WeakKeyDictionary()

    @wraps(function)
    def cached(case: Case, *rest: Rest.args, **named: Rest.kwargs) -> Value:
        values = cache.setdefault(case, {})
        if rest not in values:
            values[rest] = function(case, *rest, **named)
        return values[rest]

    return cached


def synthetic_cases(dataset: str) -> tuple[Case, ...]:
    """Renders the images of a data set's strip, once a process.

    Args:
        dataset: A synthetic data set.
    """
    with _rendering:  # two threads at once would render everything twice
        return _synthetic_cases(dataset)


@lru_cache(maxsize=8)
def _synthetic_cases(dataset: str) -> tuple[Case, ...]:
    return tuple(render_cases(dataset, GALLERIES[dataset]))


def render_cases(dataset: str, positions: Sequence[int]) -> list[Case]:
    """Renders any images of a test set.

    Args:
        dataset: A synthetic data set.
        positions: Indices in its test set.
    """
    from medattn.data import draw_images

    seen = draw_images(dataset, positions, size=SIZE)
    shown = draw_images(dataset, positions, size=LARGE)
    return [
        Case(
            pixels=seen["image"][index].astype(np.float32) / 255,
            picture=shown["image"][index].astype(np.float32) / 255,
            dataset=dataset,
            position=position,
            label=int(seen["label"][index]),
            grade=int(seen["grade"][index]) if "grade" in seen else 0,
            evidence=seen["evidence"][index],
        )
        for index, position in enumerate(positions)
    ]


@lru_cache(maxsize=256)
def is_unmarked(case: Case) -> bool:
    """Whether a test image has no mark even where marks are planted at random.

    Networks of the shortcut study saw the test images with `shortcut=0.0`; only an
    image that this leaves as it is did they see as the page shows it.
    """
    from medattn.data import draw_images

    assert case.position is not None
    rendered = draw_images(case.dataset, [case.position], size=SIZE, shortcut=0.0)
    return np.array_equal(np.float32(rendered["image"][0]) / 255, case.pixels)


@cached_per_case
def baselines(case: Case) -> tuple[float, float] | None:
    """Measures what maps score that know no network.

    Returns:
        The fraction of the image that evidence covers (a random map's score) and the
        score of an edge detector, in [0, 1]; None where there is no evidence.
    """
    from medattn.explain import edge_map, relevance_mass

    if case.evidence is None or not case.has_evidence:
        return None
    edges = relevance_mass(edge_map(case.pixels[None]), case.evidence[None])
    return float(case.evidence.mean()), float(edges[0])
