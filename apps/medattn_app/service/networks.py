"""The networks, ready to answer: one question at a time, equal ones only once."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from medattn_app.domain.cases import Case, is_unmarked, synthetic_cases
from medattn_app.domain.catalogue import (
    NotShipped,
    architectures,
    one_of_each,
    seed_probabilities,
    shipped,
)
from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import BACKBONES, DATASETS, SELF_ATTENTION, Network
from medattn_app.domain.methods import METHODS
from medattn_app.domain.state import Question
from medattn_app.domain.texts import Words
from medattn_app.service.analyzers import Analyzers, Entry
from medattn_app.service.answers import MAX_CACHED_BYTES, Answer, AnswerCache

MAX_MODELS = 12  # that `model` keeps


class NetworkService:
    """Cases, networks and answers.

    Everything loads when it is first needed, so that the page opens at once. Networks
    of one architecture share one model and its analyzers, whose weights are exchanged:
    84 networks by 22 methods would not fit into memory. An analyzer is not compiled at
    first, since compiling takes seconds and an answer without it a tenth of one; one
    that is used again and again is compiled beside the questions. Each architecture
    answers one question at a time.

    Args:
        max_cached_bytes: Size of the cache of answers.

    Attributes:
        lock: Hold it (`with service.lock:`) whenever you compute with a network that
            `model` returned.
    """

    def __init__(self, *, max_cached_bytes: int = MAX_CACHED_BYTES):
        self.lock = threading.RLock()
        self._answers = AnswerCache(max_cached_bytes)
        self._models: OrderedDict[Cell, Network] = OrderedDict()
        # By architecture: its one model, and the cell whose weights are loaded.
        self._loaded: dict[str, tuple[Network, Cell]] = {}
        self._weights: dict[Cell, list[np.ndarray]] = {}
        self._analyzers = Analyzers()
        self._stopping = threading.Event()
        self._locks = {name: threading.RLock() for name in architectures()}

    # What there is

    def datasets(self) -> list[str]:
        """Returns the data sets that networks are shipped for, in the page's order."""
        available = {cell.dataset for cell in shipped()}
        return [name for name in DATASETS if name in available]

    def cases(self, dataset: str) -> list[Case]:
        """Returns the images of a data set's strip."""
        return list(synthetic_cases(dataset))

    def networks(self, dataset: str, *, plain: bool = True) -> list[Cell]:
        """Returns the shipped networks of a data set.

        Args:
            dataset: A name in `datasets()`.
            plain: Only those from random weights without a planted shortcut.
        """
        cells = [cell for cell in shipped() if cell.dataset == dataset]
        return [cell for cell in cells if cell.is_plain or not plain]

    def cell(
        self,
        dataset: str,
        backbone: str,
        attention: str,
        regime: float,
        seed: int = 0,
        *,
        initialisation: str = "random",
        shortcut: float | None = None,
    ) -> Cell:
        """Finds a shipped network.

        Args:
            dataset: A name in `datasets()`.
            backbone: A key of `BACKBONES`.
            attention: A key of `ATTENTION`; a DeiT has its own, whatever it is.
            regime: A key of `REGIMES`.
            seed: Of the trial.
            initialisation: Its initial weights, a name in `INITIALISATIONS`.
            shortcut: Correlation of the planted mark with the label, or None.

        Raises:
            ValueError: If it is not shipped; the message says what is.
        """
        attention = SELF_ATTENTION if backbone == "DeiT" else attention
        wanted = Cell(
            dataset, backbone, attention, regime, seed, initialisation, shortcut
        )
        if wanted not in shipped():
            raise NotShipped(wanted)
        return wanted

    def case_of(self, question: Question) -> Case:
        """Finds the image of a question; a ValueError says if there is none."""
        cases = self.cases(question.dataset)
        if question.image >= len(cases):
            raise ValueError(
                f"There is no such image. Expected 0 to {len(cases) - 1}. "
                f"Received: image={question.image}"
            )
        return cases[question.image]

    def cell_of(self, question: Question) -> Cell:
        """Finds the network of a question, as `cell` does."""
        return self.cell(
            question.dataset,
            question.backbone,
            question.attention,
            question.regime,
            question.seed,
            **question.kind,
        )

    def record(self, cell: Cell) -> dict[str, Any]:
        """Returns the record of a network's trial, see `medattn.zoo`."""
        return shipped()[cell]

    def model(self, cell: Cell) -> Network:
        """Returns the network of a cell with its trained weights.

        Do not change it; clone it first. The last twelve are kept.
        """
        with self.lock:
            if cell not in self._models:
                self._models[cell] = self._load_model(cell)
                if len(self._models) > MAX_MODELS:
                    self._models.popitem(last=False)
            self._models.move_to_end(cell)
            return self._models[cell]

    # Answers

    def answer(self, case: Case, cell: Cell, method: str, **options: Any) -> Answer:
        """Asks one network about one image; equal questions are computed once.

        Args:
            case: A `Case`.
            cell: A `Cell`.
            method: A name of `medattn_app.domain.methods.METHODS`.
            **options: Of the analyzer, such as `reference="blur"` of DeepLIFT; strings
                and numbers only.

        Returns:
            An `Answer`. Where the method cannot read the network, it has no map, and
            `refused` says why.
        """
        key = _answer_key(case, cell, method, options)
        found = self._answers.find(key)
        if found is None:
            with self._locks[cell.model_name]:
                found = self._answers.find(key)
                found = found or self._compute(case, cell, method, options)
                self._answers.add(key, found)
        return found

    def cached(
        self, case: Case, cell: Cell, method: str, **options: Any
    ) -> Answer | None:
        """Returns the answer if it is cached, else None; never computes."""
        return self._answers.find(_answer_key(case, cell, method, options))

    def probabilities(self, case: Case, cell: Cell) -> np.ndarray:
        """Returns the probabilities of both classes, `(2,)`."""
        from medattn.study import probabilities

        with self._locks[cell.model_name]:
            return probabilities(self._load(cell), case.pixels[None])[0]

    @contextmanager
    def loaded(self, cell: Cell) -> Iterator[Network]:
        """Loads the weights of a cell into the one model of its architecture.

        What was compiled for it stays valid. Use it inside the `with` only, and do not
        change it: `with service.loaded(cell) as model: ...`
        """
        with self._locks[cell.model_name]:
            yield self._load(cell)

    def seed_probabilities(self, case: Case, cell: Cell) -> tuple[float, ...]:
        """Returns the probabilities that all seeds of the study gave an image.

        Args:
            case: A `Case`.
            cell: A `Cell`.

        Returns:
            One probability a seed; empty where the study kept none.
        """
        if case.position is None:
            return ()
        if cell.shortcut is not None and not is_unmarked(case):
            return ()  # those networks saw the image with a mark
        return seed_probabilities(cell, case.position)

    def warm_up(self, method: str = "lrp.epsilon") -> None:
        """Computes one answer of each architecture and of each method in advance.

        The networks that the page opens with are compiled for `method`, and stay so.
        """
        networks = one_of_each(shipped())
        for cell in networks:
            if self._stopping.is_set():
                return
            case = synthetic_cases(cell.dataset)[0]
            self.answer(case, cell, method)
            self.probabilities(case, cell)
            if cell.backbone != next(iter(BACKBONES)):
                continue
            with self._locks[cell.model_name]:
                entry = self._analyzer(cell, method, {})
            # Without the lock: questions that come meanwhile are answered uncompiled.
            self._analyzers.compile(entry, case.pixels)
        for offered in METHODS.values():
            readers = [cell for cell in networks if offered.can_read(cell)]
            if readers and not self._stopping.is_set():
                case = synthetic_cases(readers[0].dataset)[0]
                self.answer(case, readers[0], offered.name)

    def clear_answers(self) -> None:
        """Drops all cached answers, but not what is compiled."""
        self._answers.clear()

    def stop(self) -> None:
        """Ends a warm-up that is under way, and compiles nothing more."""
        self._stopping.set()
        self._analyzers.stop()

    def _compute(
        self, case: Case, cell: Cell, method: str, options: dict[str, Any]
    ) -> Answer:
        from medattn.explain import audit_line, pointing_game, relevance_mass
        from medattn.figures import pixel_relevance

        batch = case.pixels[None]
        try:
            entry = self._analyzer(cell, method, options)
            maps, audits, logits = self._analyzers.explain(entry, case.pixels)
            if logits is None:
                logits = self._load(cell).predict_on_batch(batch)
        except ValueError as error:
            logits = self._load(cell).predict_on_batch(batch)
            refused = _reason(error)
            return Answer(cell, *_certainty(logits), refused=refused, method=method)
        relevance = pixel_relevance(maps[0]).astype(np.float32)
        quality = {}
        evidence = case.evidence if case.has_evidence else None
        if evidence is not None and np.abs(relevance).sum() > 0:
            for name, measure in (
                ("mass", relevance_mass),
                ("pointing", pointing_game),
            ):
                quality[name] = float(measure(relevance[None], evidence[None])[0])
        audit = None
        if audits is not None:
            audit = {name: float(values[0]) for name, values in audits.items()}
        return Answer(
            cell,
            *_certainty(logits),
            relevance=relevance,
            audit=audit,
            audit_line=None if audits is None else audit_line(audits),
            quality=quality,
            method=method,
        )

    # Networks

    def _load_model(self, cell: Cell) -> Network:
        from medattn.zoo import load_zoo_model

        return load_zoo_model(cell.model_name, **cell.zoo_options)

    def _load(self, cell: Cell) -> Network:
        """Returns the one model of the cell's architecture, with the cell's weights."""
        from medattn.zoo import load_zoo_weights

        if cell.model_name not in self._loaded:
            model = self._load_model(cell)
            self._weights[cell] = model.get_weights()
        else:
            model, current = self._loaded[cell.model_name]
            if cell == current:
                return model
            if cell not in self._weights:
                load_zoo_weights(model, **cell.zoo_options)
                self._weights[cell] = model.get_weights()
            else:
                for variable, array in zip(
                    model.weights, self._weights[cell], strict=True
                ):
                    variable.assign(array)
        self._loaded[cell.model_name] = model, cell
        return model

    def _analyzer(self, cell: Cell, method: str, options: dict[str, Any]) -> Entry:
        """Returns an analyzer's `Entry`; its model has the cell's weights."""
        from medattn.explain import create_analyzer

        offered = METHODS[method]
        if not offered.can_read(cell):
            raise ValueError(offered.what_is_missing(cell, Words()))
        model = self._load(cell)
        options = {**dict(offered.options), **options}
        key = cell.model_name, method, tuple(sorted(options.items()))
        return self._analyzers.get(
            key,
            lambda: create_analyzer(
                method, model, neuron_selection_mode="index", **options
            ),
        )


def _answer_key(
    case: Case, cell: Cell, method: str, options: dict[str, Any]
) -> Hashable:
    return case.key, cell, method, tuple(sorted(options.items()))


def _certainty(logits: np.ndarray) -> tuple[float, float]:
    """Returns the probability and the logit of the positive class."""
    negative, positive = np.asarray(logits[0], np.float64)
    return float(1 / (1 + np.exp(negative - positive))), float(positive)


def _reason(error: ValueError) -> str:
    """Says in one sentence why a method gave no map."""
    text = str(error).split(" Expected ")[0].split(" Received: ")[0]
    return text if text.endswith(".") else f"{text}."
