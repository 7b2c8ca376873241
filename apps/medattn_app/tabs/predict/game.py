"""Predict, then reveal: what the learner said, what the network said, and the score."""

import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from medattn.explain import overlap, top_region
from medattn.study import brier_score, reliability
from medattn_app.domain.cases import GALLERIES, render_cases

SIDE = 64  # pixels of a region, as the networks see the image
POOL = 400  # test images that can be asked about
METHOD = "lrp.epsilon"
FEW = 10  # rounds below which a calibration curve says next to nothing
BINS = 5  # of it, from 50 to 100%
HEALTHY_REGION = 40  # pixels of the map's region where there is no evidence to match


@dataclass(frozen=True)
class Said:
    """What a learner says before anything is shown.

    Attributes:
        label: 0 or 1.
        sure: Probability that this is right, from 0.5 to 1.
        region: Where to look, `(64, 64)`, bool; may be empty.
    """

    label: int
    sure: float
    region: np.ndarray

    @property
    def chance(self):
        """The learner's probability of the positive class."""
        return self.sure if self.label else 1 - self.sure


@dataclass(frozen=True)
class Round:
    """One image of the sitting, without its pixels.

    Attributes:
        truth: 0 or 1.
        learner, network: Probability of the positive class, as each said.
    """

    truth: int
    learner: float
    network: float


@dataclass(frozen=True)
class Revealed:
    """Three regions of one image, and how far each pair agrees.

    Attributes:
        yours, evidence, map: `(64, 64)`, bool; the map's are its most relevant pixels,
            as many as the evidence has.
        pairs: `{("yours", "evidence"): Overlap}` of all three pairs.
    """

    yours: np.ndarray
    evidence: np.ndarray
    map: np.ndarray
    pairs: dict


def read_said(sent):
    """Reads what the page sent.

    Args:
        sent: A dict of `label` (0 or 1), `sure` (50 to 100) and `region`, 64 x 64 bits
            in rows, written as 1,024 hexadecimal digits.

    Returns:
        A `Said`.

    Raises:
        ValueError: If something is missing or out of range.
    """
    sent = sent if isinstance(sent, dict) else {}
    label, sure, region = (sent.get(key) for key in ("label", "sure", "region"))
    if type(label) is not int or label not in (0, 1):
        raise ValueError(
            "What the image shows was not said. Expected label 0 or 1. Received: "
            f"{str(label)[:40]!r}"
        )
    if type(sure) not in (int, float) or not 50 <= sure <= 100:
        raise ValueError(
            "How sure you are was not said. Expected 50 to 100 percent. Received: "
            f"{str(sure)[:40]!r}"
        )
    digits = SIDE * SIDE // 4
    try:
        packed = bytes.fromhex(region) if len(region) == digits else b""
    except (TypeError, ValueError):
        packed = b""
    if len(packed) != digits // 2:
        raise ValueError(
            f"This is no region of the image. Expected {digits} hexadecimal digits. "
            f"Received: {str(region)[:40]!r}"
        )
    bits = np.unpackbits(np.frombuffer(packed, np.uint8))
    return Said(label, sure / 100, bits.reshape(SIDE, SIDE).astype(bool))


def new_order(seed=None):
    """Shuffles the test images that a sitting asks about, gallery images left out.

    Args:
        seed: Chance unless given.

    Returns:
        A seed that gives the same order again, see `ordered`.
    """
    return random.SystemRandom().randrange(2**31) if seed is None else seed


@lru_cache(maxsize=256)
def ordered(dataset, seed):
    """Lists the positions of a sitting in its order."""
    known = set(GALLERIES[dataset])
    places = [place for place in range(POOL) if place not in known]
    random.Random(f"{dataset}-{seed}").shuffle(places)
    return tuple(places)


@lru_cache(maxsize=64)
def asked_case(dataset, seed, turn):
    """Draws the image of a turn; after the last it begins anew."""
    places = ordered(dataset, seed)
    return render_cases(dataset, [places[turn % len(places)]])[0]


def reveal(case, said, relevance):
    """Lays the learner's region, the evidence and the map over one another.

    Args:
        case: The image.
        said: A `Said`.
        relevance: The network's map, `(64, 64)`.

    Returns:
        A `Revealed`.
    """
    count = int(case.evidence.sum()) or HEALTHY_REGION
    regions = {
        "yours": said.region,
        "evidence": case.evidence,
        "map": top_region(relevance, count),
    }
    pairs = {
        (one, other): overlap(regions[one], regions[other])
        for one, other in (("yours", "evidence"), ("yours", "map"), ("map", "evidence"))
    }
    return Revealed(**regions, pairs=pairs)


def score(rounds):
    """Scores a sitting.

    Args:
        rounds: A list of `Round`s.

    Returns:
        A dict from `"learner"` and `"network"` to a dict: `right`, how many; `brier`;
        `curve`, a `Reliability` of how sure against how often right.
    """
    truth = np.array([one.truth for one in rounds], bool)
    found = {}
    for who in ("learner", "network"):
        chance = np.array([getattr(one, who) for one in rounds], float)
        right = (chance >= 0.5) == truth
        found[who] = {
            "right": int(right.sum()),
            "brier": brier_score(chance, truth),
            "curve": reliability(
                np.maximum(chance, 1 - chance), right, low=0.5, bins=BINS
            ),
        }
    return found
