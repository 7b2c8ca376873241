"""Experiments on a network's explanation: each has a number that it should move.

They run on networks of the lab's own, since one of them breaks the weights; the bench's
stay whole.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from medattn.data import draw_images
from medattn.explain import (
    audit_line,
    create_analyzer,
    deletion,
    randomisation_check,
    reference_images,
    relevance_mass,
    run_eagerly,
    shortcut_share,
    with_reference,
)
from medattn.figures import pixel_relevance
from medattn.study import probabilities
from medattn.zoo import load_zoo_model, load_zoo_weights
from medattn_app.service.shortcut_reliance import fall

POSITIVE = 1
STAGES = 6  # in which the weights are randomised
STEPS = 16  # in which pixels are taken away
ORDERS = 5  # orders by chance, beside that of the map
GREYS = tuple(step / 8 for step in range(9))
KEPT = 48  # results of experiments that are remembered
ANALYZERS = 12  # that are kept


@dataclass(frozen=True)
class Broken:
    """A network randomised from the top, and the maps of one method meanwhile.

    Attributes:
        method: Name of the analyzer.
        depths: The deepest layer randomised so far, None first.
        maps: Pixel relevance at each step, `(steps, 64, 64)`.
        chances: Probability of the positive class at each step.
        spearman, ssim: Likeness to the first map, NaN where a map is even.
        refused: Why this method has no map of this network, or None; the rest is then
            empty.
    """

    method: str
    depths: tuple = ()
    maps: np.ndarray | None = None
    chances: tuple = ()
    spearman: tuple = ()
    ssim: tuple = ()
    refused: str | None = None


@dataclass(frozen=True)
class Compared:
    """DeepLIFT against one reference.

    Attributes:
        picture: The reference, `(64, 64, 3)`.
        relevance: Contribution of each pixel, `(64, 64)`, in logits.
        ledger: `logit`, `reference`, `relevance` and `error`, in logits.
        line: The ledger in words.
        mass: Share of the contributions inside the evidence, or None.
    """

    picture: np.ndarray
    relevance: np.ndarray
    ledger: dict
    line: str
    mass: float | None


@dataclass(frozen=True)
class Planted:
    """One network shown the same image without an artefact and with it.

    Attributes:
        cell: The network.
        before, after: Probability of the positive class.
        relevance: The map of the image with the artefact, `(64, 64)`.
        on_artefact: Share of that map's relevance on the artefact.
        in_evidence: Share inside the evidence; NaN if there is none.
        of_found: Of what lies on artefact and evidence together, the artefact's share;
            NaN if neither has any.
    """

    cell: object
    before: float
    after: float
    relevance: np.ndarray
    on_artefact: float
    in_evidence: float
    of_found: float


@dataclass(frozen=True)
class Deleted:
    """An image that loses its pixels, in the order of a map and in orders of chance.

    Attributes:
        fractions: Of the pixels taken, `(steps + 1,)`.
        values: Probability in the map's order, `(steps + 1,)`.
        chance: Probability in orders of chance, `(orders, steps + 1)`.
        area: Under `values`.
        chance_area: Under each of `chance`, `(orders,)`.
        pictures: What the network saw, `(steps + 1, 64, 64, 3)`.
    """

    fractions: np.ndarray
    values: np.ndarray
    chance: np.ndarray
    area: float
    chance_area: np.ndarray
    pictures: np.ndarray


class Lab:
    """Networks to experiment on, one of each kind, and the results so far."""

    def __init__(self):
        self.lock = threading.RLock()
        self._models = {}  # name of an architecture -> (model, cell of its weights)
        self._analyzers = OrderedDict()  # (architecture, method) -> analyzer
        self._results = OrderedDict()

    def randomise(self, case, cell, method):
        """Randomises a network from the top and follows the maps of one method."""
        return self._once(self._randomise, case, cell, method)

    def compare(self, case, cell, reference):
        """Asks DeepLIFT against a reference: a name, or a grey from 0 to 1."""
        return self._once(self._compare, case, cell, reference)

    def greys(self, case, cell):
        """Moves the reference from black to white: `[(grey, ledger)]`."""
        return self._once(self._greys, case, cell, None)

    def plant(self, case, cell):
        """Shows a network an image without the artefact and with it."""
        return self._once(self._plant, case, cell, "lrp.epsilon")

    def fall(self, cell, strength):
        """Asks a network about test sets whose mark tells less, see `falls.fall`."""
        key = "fall", cell, strength
        return self._remember(
            key,
            lambda: fall(
                self._model(cell), self._analyzer(cell, "lrp.epsilon"), cell, strength
            ),
        )

    def delete(self, case, cell, method):
        """Takes pixels away, the most relevant first, and by chance."""
        return self._once(self._delete, case, cell, method)

    def _once(self, make, case, cell, what):
        key = make.__name__, case.key, cell, what
        return self._remember(key, lambda: make(case, cell, what))

    def _remember(self, key, make):
        with self.lock:
            if key not in self._results:
                with run_eagerly():  # an experiment is made once or twice
                    self._results[key] = make()
                if len(self._results) > KEPT:
                    self._results.popitem(last=False)
            self._results.move_to_end(key)
            return self._results[key]

    def _randomise(self, case, cell, method):
        batch = case.pixels[None]
        model = self._model(cell)
        try:
            analyzer = self._analyzer(cell, method)
        except ValueError as error:
            return Broken(method, refused=str(error))
        maps, chances = [], []

        def explain(images):
            found = analyzer.analyze(images, POSITIVE)
            maps.append(pixel_relevance(found[0]))
            chances.append(float(probabilities(model, images)[0, POSITIVE]))
            return found

        # The analyzer reads the model's own weights: none is built anew.
        found = randomisation_check(
            lambda model: explain, model, batch, stages=STAGES, sign="absolute"
        )
        return Broken(
            method,
            tuple(found.depths),
            np.float32(maps),
            tuple(chances),
            tuple(found.spearman[:, 0]),
            tuple(found.ssim[:, 0]),
        )

    def _compare(self, case, cell, reference):
        batch = case.pixels[None]
        analyzer = self._referring(cell, reference)
        audit = analyzer.audit(batch, POSITIVE)
        relevance = pixel_relevance(analyzer.analyze(batch, POSITIVE)[0])
        mass = None
        if case.has_evidence and relevance.any():
            mass = float(relevance_mass(relevance[None], case.evidence[None])[0])
        return Compared(
            reference_images(analyzer, batch)[0, 0],
            relevance,
            {key: float(values[0]) for key, values in audit.items()},
            audit_line(audit),
            mass,
        )

    def _greys(self, case, cell, _):
        found = []
        for grey in GREYS:
            audit = self._referring(cell, grey).audit(case.pixels[None], POSITIVE)
            found.append((grey, {key: float(v[0]) for key, v in audit.items()}))
        return found

    def _plant(self, case, cell, method):
        plain, planted, artefact = planted_pair(case.dataset, case.position)
        model = self._model(cell)
        before, after = probabilities(model, np.stack([plain, planted]))[:, POSITIVE]
        analyzer = self._analyzer(cell, method)
        relevance = pixel_relevance(analyzer.analyze(planted[None], POSITIVE)[0])
        return Planted(
            cell,
            float(before),
            float(after),
            relevance,
            float(relevance_mass(relevance[None], artefact[None])[0]),
            float(relevance_mass(relevance[None], case.evidence[None])[0])
            if case.has_evidence
            else np.nan,
            float(
                shortcut_share(relevance[None], case.evidence[None], artefact[None])[0]
            ),
        )

    def _delete(self, case, cell, method):
        model = self._model(cell)
        relevance = self._analyzer(cell, method).analyze(case.pixels[None], POSITIVE)
        rng = np.random.default_rng(0)
        orders = rng.random((ORDERS, *case.pixels.shape[:2]))
        rows = np.concatenate([pixel_relevance(relevance), orders])
        images = np.repeat(case.pixels[None], len(rows), axis=0)
        pictures = []

        def predict(changed):
            pictures.append(changed[0])
            return probabilities(model, changed)[:, POSITIVE]

        curve = deletion(predict, images, rows, steps=STEPS)
        return Deleted(
            curve.fractions,
            curve.values[0],
            curve.values[1:],
            float(curve.area[0]),
            curve.area[1:],
            np.float32(pictures),
        )

    def _model(self, cell):
        """Returns the one model of the cell's architecture, bearing its weights."""
        name = cell.model_name
        model, bears = self._models.get(name, (None, None))
        if model is None:
            model = load_zoo_model(name, **cell.which)
        elif bears != cell:
            load_zoo_weights(model, **cell.which)
        self._models[name] = model, cell
        return model

    def _analyzer(self, cell, method):
        model = self._model(cell)
        key = cell.model_name, method
        if key not in self._analyzers:
            self._analyzers[key] = create_analyzer(
                method, model, neuron_selection_mode="index"
            )
            if len(self._analyzers) > ANALYZERS:
                self._analyzers.popitem(last=False)
        self._analyzers.move_to_end(key)
        return self._analyzers[key]

    def _referring(self, cell, reference):
        analyzer = self._analyzer(cell, "deep_lift.rescale")
        if not isinstance(reference, str):
            shape = self._model(cell).inputs[0].shape[1:]
            reference = np.full(shape, reference, np.float32)
        return with_reference(analyzer, reference)


@lru_cache(maxsize=4)
def lab_beside(bench):
    """Gives the one lab beside a bench, whatever the language of the page."""
    return Lab()


@lru_cache(maxsize=64)
def planted_pair(dataset, position, size=64):
    """Draws a test image without its artefact and with it, all else equal.

    Args:
        dataset: A drawn data set.
        position: Place in the test set.
        size: Height and width in pixels.

    Returns:
        The image without and with, `(size, size, 3)` in [0, 1], and where the artefact
        lies, `(size, size)`, bool.
    """
    one = draw_images(dataset, [position], size=size, shortcut=1.0)
    other = draw_images(dataset, [position], size=size, shortcut=-1.0)
    # A correlation of +1 plants it where the label is 1, of -1 where it is 0.
    plain, planted = (other, one) if one["label"][0] else (one, other)
    return (
        *(np.float32(drawn["image"][0]) / 255 for drawn in (plain, planted)),
        planted["artefact"][0],
    )
