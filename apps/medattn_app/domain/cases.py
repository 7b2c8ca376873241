"""The images on the page: drawn ones of three domains, and a visitor's own."""

import threading
import weakref
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, wraps
from hashlib import sha256

import numpy as np

from medattn_app.service.labels import case_name, truth_text
from medattn_app.service.texts import Words

SIZE, LARGE = 64, 384  # pixels that the networks see; pixels that the eye sees
# Places in the test sets: healthy ones, and positives from plain to barely visible.
GALLERIES = {
    "fundus": (3, 5, 0, 17, 7, 22, 11, 40),
    "dermoscopy": (0, 1, 2, 3, 4, 5, 6, 7),
    "chest": (0, 1, 2, 3, 4, 5, 6, 7),
}
_drawing = threading.Lock()


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be a key
class Case:
    """One image on the page.

    Attributes:
        pixels: What the networks see, `(64, 64, 3)`, float32 in [0, 1].
        picture: What the learner sees, `(height, width, 3)`, float32 in [0, 1].
        dataset: The data set it belongs to; of a visitor's image, the one that the page
            showed when it came.
        position: Its place in the test set, or None.
        label: 0 or 1, or None where nobody knows.
        grade: How far the disease has gone, from 1; 0 where that is not graded.
        evidence: `(64, 64)`, bool, or None.
    """

    pixels: np.ndarray
    picture: np.ndarray = field(repr=False)
    dataset: str = "fundus"
    position: int | None = None
    label: int | None = None
    grade: int = 0
    evidence: np.ndarray | None = None

    @property
    def name(self):
        """What it is called in English, for endpoints; see `names.case_name`."""
        return case_name(self, Words())

    @property
    def truth(self):
        """The label in English words, or None; see `names.truth_text`."""
        return truth_text(self, Words())

    @cached_property
    def key(self):
        """A hash of what a network sees and of the evidence: equal for equal cases."""
        digest = sha256(np.ascontiguousarray(self.pixels).tobytes())
        if self.evidence is not None:
            digest.update(np.packbits(self.evidence).tobytes())
        return digest.hexdigest()[:16]

    @property
    def has_evidence(self):
        """Whether there is evidence to compare a map with."""
        return self.evidence is not None and bool(self.evidence.any())


def kept_with_case(function):
    """Remembers what a function of a case gave, for as long as the case is there.

    A visitor's image is forgotten with its session; no cache may hold it longer.

    Args:
        function: Takes a `Case`, and then anything that can be a key.
    """
    known = weakref.WeakKeyDictionary()

    @wraps(function)
    def remembered(case, *rest):
        found = known.setdefault(case, {})
        if rest not in found:
            found[rest] = function(case, *rest)
        return found[rest]

    return remembered


def drawn_cases(dataset):
    """Draws the images of a data set's strip, once a process.

    Args:
        dataset: A drawn data set.

    Returns:
        A tuple of `Case`s.
    """
    with _drawing:  # two at once would draw everything twice
        return _drawn_cases(dataset)


@lru_cache(maxsize=8)
def _drawn_cases(dataset):
    return tuple(draw_cases(dataset, GALLERIES[dataset]))


def draw_cases(dataset, places):
    """Draws any images of a test set.

    Args:
        dataset: A drawn data set.
        places: Positions in its test set.

    Returns:
        A list of `Case`s.
    """
    from medattn.data import draw_images

    seen = draw_images(dataset, places, size=SIZE)
    shown = draw_images(dataset, places, size=LARGE)
    return [
        Case(
            pixels=seen["image"][at].astype(np.float32) / 255,
            picture=shown["image"][at].astype(np.float32) / 255,
            dataset=dataset,
            position=position,
            label=int(seen["label"][at]),
            grade=int(seen["grade"][at]) if "grade" in seen else 0,
            evidence=seen["evidence"][at],
        )
        for at, position in enumerate(places)
    ]


@lru_cache(maxsize=256)
def is_unmarked(case):
    """Tells whether a test image has no mark even where marks lie about by chance.

    Networks of the shortcut study saw the test images drawn with `shortcut=0.0`; only
    an image that this leaves as it is did they see as the page shows it.
    """
    from medattn.data import draw_images

    drawn = draw_images(case.dataset, [case.position], size=SIZE, shortcut=0.0)
    return np.array_equal(np.float32(drawn["image"][0]) / 255, case.pixels)


def upload(path, dataset="fundus"):
    """Reads a visitor's file into a `Case`; a ValueError says what is wrong with it."""
    from medattn.data import fit_image
    from medattn_app.service.uploads import take

    image = take(path)
    side = min(LARGE, max(image.shape[:2]))
    return Case(fit_image(image, SIZE), fit_image(image, side), dataset=dataset)


@kept_with_case
def baselines(case):
    """Measures what a map scores that knows no network.

    Returns:
        The share of the image that evidence covers (a random map's score) and the score
        of an edge detector; None where there is no evidence.
    """
    from medattn.explain import edge_map, relevance_mass

    if not case.has_evidence:
        return None
    edges = relevance_mass(edge_map(case.pixels[None]), case.evidence[None])
    return float(case.evidence.mean()), float(edges[0])
