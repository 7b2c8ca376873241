"""Predict first: the learner's prediction, the network's, and the score of both."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from medattn.explain import overlap, top_region
from medattn.study import brier_score, reliability
from medattn_app.domain.cases import GALLERIES, Case, render_cases

SIDE = 64  # pixels of a region, as the networks see the image
POOL = 400  # test images that can be asked about
METHOD = "lrp.epsilon"
FEW_ROUNDS = 10  # below which a calibration curve says next to nothing
BINS = 5  # of it, from 50 to 100%
HEALTHY_REGION = 40  # pixels of the map's region where there is no evidence to match


@dataclass(frozen=True)
class Prediction:
    """What a learner predicts before anything is shown.

    Attributes:
        label: 0 or 1.
        sure: Probability that this is right, from 0.5 to 1.
        region: Where to look, `(64, 64)`, bool; may be empty.
    """

    label: int
    sure: float
    region: np.ndarray

    @property
    def probability(self) -> float:
        """The learner's probability of the positive class."""
        return self.sure if self.label else 1 - self.sure


@dataclass(frozen=True)
class Round:
    """One image of the session, without its pixels.

    Attributes:
        truth: 0 or 1.
        learner, network: Probability of the positive class, as each predicted.
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
    pairs: dict[tuple[str, str], Any]


def read_prediction(sent: object) -> Prediction:
    """Reads what the page sent.

    Args:
        sent: A dict of `label` (0 or 1), `sure` (50 to 100) and `region`, 64 x 64 bits
            in rows, written as 1,024 hexadecimal digits.

    Returns:
        A `Prediction`.

    Raises:
        ValueError: If something is missing or out of range.
    """
    given: dict[str, Any] = sent if isinstance(sent, dict) else {}
    label: Any = given.get("label")
    sure: Any = given.get("sure")
    region: Any = given.get("region")
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
    return Prediction(label, sure / 100, bits.reshape(SIDE, SIDE).astype(bool))


def new_order(seed: int | None = None) -> int:
    """Shuffles the test images that a session asks about, gallery images left out.

    Args:
        seed: A random one unless given.

    Returns:
        A seed that gives the same order again, see `ordered`.
    """
    return random.SystemRandom().randrange(2**31) if seed is None else seed


@lru_cache(maxsize=256)
def ordered(dataset: str, seed: int) -> tuple[int, ...]:
    """Lists the positions in the test set that a session asks about, in its order."""
    known = set(GALLERIES[dataset])
    positions = [position for position in range(POOL) if position not in known]
    random.Random(f"{dataset}-{seed}").shuffle(positions)
    return tuple(positions)


@lru_cache(maxsize=64)
def case_of_turn(dataset: str, seed: int, turn: int) -> Case:
    """Renders the image of a turn; after the last it begins anew."""
    positions = ordered(dataset, seed)
    return render_cases(dataset, [positions[turn % len(positions)]])[0]


def reveal(case: Case, predicted: Prediction, relevance: np.ndarray) -> Revealed:
    """Lays the learner's region, the evidence and the map over one another.

    Args:
        case: The image.
        predicted: What the learner predicted.
        relevance: The network's map, `(64, 64)`.

    Returns:
        A `Revealed`.
    """
    assert case.evidence is not None
    count = int(case.evidence.sum()) or HEALTHY_REGION
    regions = {
        "yours": predicted.region,
        "evidence": case.evidence,
        "map": top_region(relevance, count),
    }
    pairs = {
        (one, other): overlap(regions[one], regions[other])
        for one, other in (("yours", "evidence"), ("yours", "map"), ("map", "evidence"))
    }
    return Revealed(**regions, pairs=pairs)


def score(rounds: Sequence[Round]) -> dict[str, dict[str, Any]]:
    """Scores a session.

    Args:
        rounds: One for each image.

    Returns:
        A dict from `"learner"` and `"network"` to a dict: `right`, how many; `brier`;
        `curve`, a `Reliability` of how sure against how often right.
    """
    truth = np.array([one.truth for one in rounds], bool)
    found = {}
    for who in ("learner", "network"):
        probability = np.array([getattr(one, who) for one in rounds], float)
        right = (probability >= 0.5) == truth
        found[who] = {
            "right": int(right.sum()),
            "brier": brier_score(probability, truth),
            "curve": reliability(
                np.maximum(probability, 1 - probability), right, low=0.5, bins=BINS
            ),
        }
    return found
