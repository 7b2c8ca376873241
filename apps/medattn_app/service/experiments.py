"""Experiments on a network's explanation: each has a number that it should move.

They run on networks of their own, since one of them randomises the weights.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

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
from medattn_app.domain.cases import Case
from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import Network
from medattn_app.service.analyzers import POSITIVE
from medattn_app.service.networks import NetworkService
from medattn_app.service.shortcut_reliance import (
    ShortcutReliance,
    measure_shortcut_reliance,
)

RANDOMISATION_STAGES = 6  # in which the weights are randomised
DELETION_STEPS = 16  # in which pixels are deleted
RANDOM_ORDERS = 5  # of deletion, beside that of the map
GREYS = tuple(step / 8 for step in range(9))
MAX_RESULTS = 48  # of experiments, that are cached
MAX_ANALYZERS = 12
Result = TypeVar("Result")


@dataclass(frozen=True)
class Randomised:
    """A network randomised from the top, and the maps of one method at each stage.

    Attributes:
        method: Name of the analyzer.
        depths: The deepest layer randomised so far, None first.
        maps: Pixel relevance at each stage, `(stages, 64, 64)`.
        probabilities: Of the positive class at each stage.
        spearman, ssim: Similarity to the first map, NaN where a map is constant.
        refused: Why this method has no map of this network, or None; the rest is then
            empty.
    """

    method: str
    depths: tuple[str | None, ...] = ()
    maps: np.ndarray | None = None
    probabilities: tuple[float, ...] = ()
    spearman: tuple[float, ...] = ()
    ssim: tuple[float, ...] = ()
    refused: str | None = None


@dataclass(frozen=True)
class Compared:
    """DeepLIFT against one reference.

    Attributes:
        picture: The reference, `(64, 64, 3)`.
        relevance: Contribution of each pixel, `(64, 64)`, in logits.
        audit: `logit`, `reference`, `relevance` and `error`, in logits.
        audit_line: The audit in words.
        mass: Fraction of the contributions inside the evidence, or None.
    """

    picture: np.ndarray
    relevance: np.ndarray
    audit: dict[str, float]
    audit_line: str
    mass: float | None


@dataclass(frozen=True)
class Planted:
    """One network shown the same image without an artefact and with it.

    Attributes:
        cell: The network.
        before, after: Probability of the positive class.
        relevance: The map of the image with the artefact, `(64, 64)`.
        on_artefact: Fraction of that map's relevance on the artefact.
        in_evidence: Fraction inside the evidence; NaN if there is none.
        shortcut_share: Of what lies on artefact and evidence together, the artefact's
            fraction; NaN if neither has any.
    """

    cell: Cell
    before: float
    after: float
    relevance: np.ndarray
    on_artefact: float
    in_evidence: float
    shortcut_share: float


@dataclass(frozen=True)
class Deleted:
    """An image that loses its pixels, in the order of a map and in random orders.

    Attributes:
        fractions: Of the pixels deleted, `(steps + 1,)`.
        values: Probability in the map's order, `(steps + 1,)`.
        random_values: Probability in random orders, `(orders, steps + 1)`.
        area: Under `values`.
        random_area: Under each of `random_values`, `(orders,)`.
        pictures: What the network saw, `(steps + 1, 64, 64, 3)`.
    """

    fractions: np.ndarray
    values: np.ndarray
    random_values: np.ndarray
    area: float
    random_area: np.ndarray
    pictures: np.ndarray


class Experiments:
    """Networks to experiment on, one of each architecture, and cached results."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        # By architecture: its model, and the cell whose weights are loaded.
        self._models: dict[str, tuple[Network, Cell]] = {}
        # By architecture and method.
        self._analyzers: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._results: OrderedDict[Hashable, Any] = OrderedDict()

    def randomise(self, case: Case, cell: Cell, method: str) -> Randomised:
        """Randomises a network from the top and follows the maps of one method."""
        return self._once(self._randomise, case, cell, method)

    def compare(self, case: Case, cell: Cell, reference: str | float) -> Compared:
        """Explains with DeepLIFT against a reference: a name, or a grey from 0 to 1."""
        return self._once(self._compare, case, cell, reference)

    def greys(self, case: Case, cell: Cell) -> list[tuple[float, dict[str, float]]]:
        """Moves the reference from black to white: pairs of grey and audit."""
        return self._once(self._greys, case, cell, None)

    def plant(self, case: Case, cell: Cell) -> Planted:
        """Shows a network an image without the artefact and with it."""
        return self._once(self._plant, case, cell, "lrp.epsilon")

    def shortcut_reliance(self, cell: Cell, strength: float) -> ShortcutReliance:
        """Tests a network on other marks; see `measure_shortcut_reliance`."""
        return self._cached(
            ("shortcut_reliance", cell, strength),
            lambda: measure_shortcut_reliance(
                self._model(cell), self._analyzer(cell, "lrp.epsilon"), cell, strength
            ),
        )

    def delete(self, case: Case, cell: Cell, method: str) -> Deleted:
        """Deletes pixels, the most relevant first, and in random orders."""
        return self._once(self._delete, case, cell, method)

    def _once(
        self,
        make: Callable[[Case, Cell, Any], Result],
        case: Case,
        cell: Cell,
        option: str | float | None,
    ) -> Result:
        key = make.__name__, case.key, cell, option
        return self._cached(key, lambda: make(case, cell, option))

    def _cached(self, key: Hashable, make: Callable[[], Result]) -> Result:
        with self.lock:
            if key not in self._results:
                with run_eagerly():  # an experiment is made once or twice
                    self._results[key] = make()
                if len(self._results) > MAX_RESULTS:
                    self._results.popitem(last=False)
            self._results.move_to_end(key)
            return self._results[key]

    def _randomise(self, case: Case, cell: Cell, method: str) -> Randomised:
        batch = case.pixels[None]
        model = self._model(cell)
        try:
            analyzer = self._analyzer(cell, method)
        except ValueError as error:
            return Randomised(method, refused=str(error))
        maps: list[np.ndarray] = []
        predicted: list[float] = []

        def explain(images: np.ndarray) -> np.ndarray:
            found = analyzer.analyze(images, POSITIVE)
            maps.append(pixel_relevance(found[0]))
            predicted.append(float(probabilities(model, images)[0, POSITIVE]))
            return found

        # The analyzer reads the model's own weights: none is created anew.
        found = randomisation_check(
            lambda model: explain,
            model,
            batch,
            stages=RANDOMISATION_STAGES,
            sign="absolute",
        )
        return Randomised(
            method,
            tuple(found.depths),
            np.asarray(maps, np.float32),
            tuple(predicted),
            tuple(found.spearman[:, 0]),
            tuple(found.ssim[:, 0]),
        )

    def _compare(self, case: Case, cell: Cell, reference: str | float) -> Compared:
        batch = case.pixels[None]
        analyzer = self._analyzer_with(cell, reference)
        audit = analyzer.audit(batch, POSITIVE)
        relevance = pixel_relevance(analyzer.analyze(batch, POSITIVE)[0])
        mass = None
        if case.evidence is not None and case.has_evidence and relevance.any():
            mass = float(relevance_mass(relevance[None], case.evidence[None])[0])
        return Compared(
            reference_images(analyzer, batch)[0, 0],
            relevance,
            {key: float(values[0]) for key, values in audit.items()},
            audit_line(audit),
            mass,
        )

    def _greys(
        self, case: Case, cell: Cell, _: None
    ) -> list[tuple[float, dict[str, float]]]:
        found = []
        for grey in GREYS:
            audit = self._analyzer_with(cell, grey).audit(case.pixels[None], POSITIVE)
            found.append((grey, {key: float(v[0]) for key, v in audit.items()}))
        return found

    def _plant(self, case: Case, cell: Cell, method: str) -> Planted:
        assert case.position is not None and case.evidence is not None
        evidence = case.evidence[None]
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
            float(relevance_mass(relevance[None], evidence)[0])
            if case.has_evidence
            else np.nan,
            float(shortcut_share(relevance[None], evidence, artefact[None])[0]),
        )

    def _delete(self, case: Case, cell: Cell, method: str) -> Deleted:
        model = self._model(cell)
        relevance = self._analyzer(cell, method).analyze(case.pixels[None], POSITIVE)
        rng = np.random.default_rng(0)
        orders = rng.random((RANDOM_ORDERS, *case.pixels.shape[:2]))
        rows = np.concatenate([pixel_relevance(relevance), orders])
        images = np.repeat(case.pixels[None], len(rows), axis=0)
        pictures: list[np.ndarray] = []

        def predict(changed: np.ndarray) -> np.ndarray:
            pictures.append(changed[0])
            return probabilities(model, changed)[:, POSITIVE]

        curve = deletion(predict, images, rows, steps=DELETION_STEPS)
        return Deleted(
            curve.fractions,
            curve.values[0],
            curve.values[1:],
            float(curve.area[0]),
            curve.area[1:],
            np.asarray(pictures, np.float32),
        )

    def _model(self, cell: Cell) -> Network:
        """Returns the one model of the cell's architecture, with its weights."""
        name = cell.model_name
        if name not in self._models:
            model = load_zoo_model(name, **cell.zoo_options)
        else:
            model, current = self._models[name]
            if current != cell:
                load_zoo_weights(model, **cell.zoo_options)
        self._models[name] = model, cell
        return model

    def _analyzer(self, cell: Cell, method: str) -> Any:
        model = self._model(cell)
        key = cell.model_name, method
        if key not in self._analyzers:
            self._analyzers[key] = create_analyzer(
                method, model, neuron_selection_mode="index"
            )
            if len(self._analyzers) > MAX_ANALYZERS:
                self._analyzers.popitem(last=False)
        self._analyzers.move_to_end(key)
        return self._analyzers[key]

    def _analyzer_with(self, cell: Cell, reference: str | float) -> Any:
        analyzer = self._analyzer(cell, "deep_lift.rescale")
        if isinstance(reference, str):
            return with_reference(analyzer, reference)
        shape = self._model(cell).inputs[0].shape[1:]
        return with_reference(analyzer, np.full(shape, reference, np.float32))


@lru_cache(maxsize=4)
def experiments_for(service: NetworkService) -> Experiments:
    """Returns the one `Experiments` of a service, whatever the page's language."""
    return Experiments()


@lru_cache(maxsize=64)
def planted_pair(
    dataset: str, position: int, size: int = 64
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Renders a test image without its artefact and with it, all else equal.

    Args:
        dataset: A synthetic data set.
        position: Index in the test set.
        size: Height and width in pixels.

    Returns:
        The image without and with, `(size, size, 3)` in [0, 1], and where the artefact
        lies, `(size, size)`, bool.
    """
    one = draw_images(dataset, [position], size=size, shortcut=1.0)
    other = draw_images(dataset, [position], size=size, shortcut=-1.0)
    # A correlation of +1 plants it where the label is 1, of -1 where it is 0.
    plain, planted = (other, one) if one["label"][0] else (one, other)
    before, after = (
        pair["image"][0].astype(np.float32) / 255 for pair in (plain, planted)
    )
    return before, after, planted["artefact"][0]
