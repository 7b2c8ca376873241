"""What the page asks: one image under each attention block, at one regime."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import numpy as np

from medattn.data import draw_images, find_card, fit_image, read_image
from medattn.explain import audit_line, create_analyzer, edge_map, relevance_mass
from medattn.figures import pixel_relevance
from medattn.study import probabilities
from medattn.zoo import find_zoo_record, load_zoo_model

DATASET = "fundus"
ATTENTION = {
    "none": "micro_resnet",
    "SE": "se_micro_resnet",
    "CBAM": "cbam_micro_resnet",
}
REGIMES = {"1 %": 0.01, "10 %": 0.1, "50 %": 0.5, "100 %": 1.0}
METHODS = {
    "LRP, epsilon rule": "lrp.epsilon",
    "input × gradient": "input_t_gradient",
    "gradient": "gradient",
}
GALLERY = (3, 5, 0, 17, 7, 22, 11, 40)  # places in the test set, every grade among them
GRADES = ("healthy", "mild", "moderate", "severe", "proliferative")
SIZE, LARGE = 64, 320  # pixels that the networks see; pixels that the eye sees
DISEASED = 1


@dataclass(frozen=True, eq=False)  # compared by identity, so that it can be a key
class Case:
    """One image on the page.

    Attributes:
        name: What it is called there.
        pixels: What the networks see, `(64, 64, 3)`, float32 in [0, 1].
        picture: What the learner sees, `(height, width, 3)`, float32 in [0, 1].
        truth: Its label in words, or None where nobody knows.
        evidence: `(64, 64)`, bool, or None.
    """

    name: str
    pixels: np.ndarray
    picture: np.ndarray
    truth: str | None = None
    evidence: np.ndarray | None = None


@dataclass(frozen=True)
class Answer:
    """What one network says about one image, and why.

    Attributes:
        chance: Probability of disease, in [0, 1].
        relevance: Pixel relevance for the logit of disease, `(64, 64)`, in logits.
        audit: The ledger as a line, or None where the method keeps none.
        mass: Share of the relevance inside the evidence, or None.
        auroc: The network's AUROC on the test set.
    """

    chance: float
    relevance: np.ndarray
    audit: str | None
    mass: float | None
    auroc: float


def gallery():
    """Returns the drawn retinas of the page, a list of `Case`s."""
    seen = draw_images(DATASET, GALLERY, size=SIZE)
    shown = draw_images(DATASET, GALLERY, size=LARGE)
    classes = find_card(DATASET).classes
    cases = []
    for place, position in enumerate(GALLERY):
        grade = int(seen["grade"][place])
        truth = classes[int(seen["label"][place])]
        if grade:
            truth = f"{truth} ({GRADES[grade]})"
        cases.append(
            Case(
                name=f"drawn retina {position}",
                pixels=seen["image"][place].astype(np.float32) / 255,
                picture=shown["image"][place].astype(np.float32) / 255,
                truth=truth,
                evidence=seen["evidence"][place],
            )
        )
    return cases


def upload(path):
    """Reads a visitor's file into a `Case`; a ValueError says what is wrong with it."""
    image = read_image(path)
    side = min(LARGE, max(image.shape[:2]))
    return Case("your own image", fit_image(image, SIZE), fit_image(image, side))


@lru_cache(maxsize=64)
def baselines(case):
    """Measures what a map scores that knows no network.

    Returns:
        The share of the image that evidence covers (a random map's score) and the score
        of an edge detector; None where there is no evidence.
    """
    if case.evidence is None or not case.evidence.any():
        return None
    edges = relevance_mass(edge_map(case.pixels[None]), case.evidence[None])
    return float(case.evidence.mean()), float(edges[0])


class Bench:
    """The shipped networks, ready to answer.

    A lock lets one question in at a time: two at once would be no quicker on a small
    machine, and each network is compiled when it is first asked.
    """

    def __init__(self, *, remember=600):
        self.models, self.auroc, self.analyzers = {}, {}, {}
        for attention, name in ATTENTION.items():
            for regime in REGIMES.values():
                key = attention, regime
                self.models[key] = load_zoo_model(name, regime=regime)
                record = find_zoo_record(name, regime=regime)
                self.auroc[key] = record["measured"]["test"]["auroc"]
        self._lock = threading.Lock()
        self._resting = threading.Event()
        self._remembered = OrderedDict()
        self._remember = remember

    def warm_up(self):
        """Compiles every network for the first method, before anybody asks."""
        black = np.zeros((SIZE, SIZE, 3), np.float32)
        blank = Case("blank", pixels=black, picture=black)
        for regime in sorted(REGIMES.values(), reverse=True):
            for attention in ATTENTION:
                if self._resting.is_set():
                    return
                self.answer(blank, attention, regime, "lrp.epsilon")

    def rest(self):
        """Ends a warm-up that is under way."""
        self._resting.set()

    def compare(self, case, regime, method):
        """Asks all three networks of a regime about one image.

        Args:
            case: A `Case`.
            regime: A value of `REGIMES`.
            method: A value of `METHODS`.

        Returns:
            A dict from attention block to `Answer`.
        """
        return {key: self.answer(case, key, regime, method) for key in ATTENTION}

    def answer(self, case, attention, regime, method):
        """Asks one network about one image; equal questions are answered once."""
        content = sha256(case.pixels.tobytes()).hexdigest()
        question = (content, case.evidence is None, attention, regime, method)
        with self._lock:
            if question in self._remembered:
                self._remembered.move_to_end(question)
                return self._remembered[question]
            answer = self._ask(case, attention, regime, method)
            self._remembered[question] = answer
            if len(self._remembered) > self._remember:
                self._remembered.popitem(last=False)
            return answer

    def _ask(self, case, attention, regime, method):
        model = self.models[attention, regime]
        if (attention, regime, method) not in self.analyzers:
            self.analyzers[attention, regime, method] = create_analyzer(
                method, model, neuron_selection_mode="index"
            )
        analyzer = self.analyzers[attention, regime, method]
        batch = case.pixels[None]
        relevance = pixel_relevance(analyzer.analyze(batch, DISEASED)[0])
        audit = None
        if hasattr(analyzer, "audit"):
            audit = audit_line(analyzer.audit(batch, DISEASED))
        mass = None
        if case.evidence is not None and case.evidence.any():
            mass = float(relevance_mass(relevance[None], case.evidence[None])[0])
        return Answer(
            chance=float(probabilities(model, batch)[0, DISEASED]),
            relevance=relevance,
            audit=audit,
            mass=mass,
            auroc=self.auroc[attention, regime],
        )
