"""The networks, ready to answer: one question at a time, equal ones only once."""

import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from medattn_app.domain.cases import drawn_cases, is_unmarked
from medattn_app.domain.cells import (
    OWN,
    Cell,
    NotShipped,
    architectures,
    one_of_each,
    seed_chances,
    shipped,
)
from medattn_app.domain.methods import METHODS
from medattn_app.domain.state import BACKBONES, DATASETS
from medattn_app.service.analyzers import Analyzers
from medattn_app.service.texts import Words

BYTES = 32 * 2**20  # of remembered answers
MODELS = 12  # whole networks lent out by `model`


@dataclass(frozen=True)
class Answer:
    """What one network says about one image, and why.

    Attributes:
        cell: The network.
        chance: Probability of the positive class, in [0, 1].
        logit: The positive class's logit, which the map explains.
        relevance: What each pixel contributed, `(64, 64)`, in the method's unit; None
            if the method cannot read this network.
        audit: The ledger, as `analyzer.audit` gives it for one image (floats), or None
            where the method keeps none.
        line: The ledger in English words, or None; in the page's language it is
            `names.ledger_line`'s.
        quality: Measures of the map against the evidence, by name: `mass` (the share
            of relevance inside), `pointing` (1 if the strongest pixel lies inside);
            empty without evidence or map.
        refused: Why there is no map, in an English sentence, or None; the page's own
            reasons in its language are `names.refusal`'s.
        method: Name of the method that was asked.
    """

    cell: Cell
    chance: float
    logit: float
    relevance: np.ndarray | None = None
    audit: dict | None = None
    line: str | None = None
    quality: dict = field(default_factory=dict)
    refused: str | None = None
    method: str = ""


class Bench:
    """Cases, networks and answers.

    Everything loads when it is first asked for, so that the page opens at once.
    Networks of one architecture share one analyzer, whose weights are exchanged: 84
    networks by 22 methods would not fit into memory. An analyzer answers step by step
    at first, since compiling takes seconds and an answer then a tenth of one; one that
    is asked again and again is compiled beside the questions. Each architecture answers
    one question at a time.

    Attributes:
        lock: Hold it (`with bench.lock:`) whenever you compute with a network that
            `model` lent you.
    """

    def __init__(self, *, remember=BYTES):
        self.lock = threading.RLock()
        self._answers, self._held, self._most = OrderedDict(), 0, remember
        self._lent = OrderedDict()  # cell -> model
        self._stages = {}  # name of an architecture -> (model, cell of its weights)
        self._weights = {}  # cell -> arrays
        self._analyzers = Analyzers()
        self._resting = threading.Event()
        self._locks = {name: threading.RLock() for name in architectures()}
        self._books = threading.Lock()  # of what is remembered

    # What there is

    def datasets(self):
        """Returns the data sets that networks are shipped for, in the page's order."""
        there = {cell.dataset for cell in shipped()}
        return [name for name in DATASETS if name in there]

    def cases(self, dataset):
        """Returns the images of a data set's strip, a list of `Case`s."""
        return list(drawn_cases(dataset))

    def networks(self, dataset, *, plain=True):
        """Returns the shipped networks of a data set, a list of `Cell`s.

        Args:
            dataset: A name in `datasets()`.
            plain: Only those from random starts without a planted shortcut.
        """
        mine = [cell for cell in shipped() if cell.dataset == dataset]
        return [cell for cell in mine if cell.is_plain or not plain]

    def cell(
        self,
        dataset,
        backbone,
        attention,
        regime,
        seed=0,
        *,
        initialisation="random",
        shortcut=None,
    ):
        """Finds a shipped network.

        Args:
            dataset: A name in `datasets()`.
            backbone: A key of `BACKBONES`.
            attention: A key of `ATTENTION`; a DeiT has its own, whatever it is.
            regime: A key of `REGIMES`.
            seed: Of the trial.
            initialisation: What it began from, a name in `INITIALISATIONS`.
            shortcut: Correlation of the planted mark with the label, or None.

        Returns:
            A `Cell`.

        Raises:
            ValueError: If it is not shipped; the message says what is.
        """
        attention = OWN if backbone == "DeiT" else attention
        wanted = Cell(
            dataset, backbone, attention, regime, seed, initialisation, shortcut
        )
        if wanted not in shipped():
            raise NotShipped(wanted)
        return wanted

    def record(self, cell):
        """Returns the record of a network's trial, see `medattn.zoo`."""
        return shipped()[cell]

    def model(self, cell):
        """Lends the network of a cell: a `keras.Model` with its trained weights.

        Do not change it; clone it first. The last twelve are kept.
        """
        with self.lock:
            if cell not in self._lent:
                self._lent[cell] = self._load(cell)
                if len(self._lent) > MODELS:
                    self._lent.popitem(last=False)
            self._lent.move_to_end(cell)
            return self._lent[cell]

    # Answers

    def answer(self, case, cell, method, **options):
        """Asks one network about one image; equal questions are answered once.

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
        key = case.key, cell, method, tuple(sorted(options.items()))
        found = self._recall(key)
        if found is None:
            with self._locks[cell.model_name]:
                found = self._recall(key) or self._ask(case, cell, method, options)
                self._keep(key, found)
        return found

    def remembered(self, case, cell, method, **options):
        """Returns the answer if it is known already, else None; never computes."""
        return self._recall((case.key, cell, method, tuple(sorted(options.items()))))

    def chances(self, case, cell):
        """Returns the probabilities of both classes, `(2,)`."""
        from medattn.study import probabilities

        with self._locks[cell.model_name]:
            return probabilities(self._stage(cell), case.pixels[None])[0]

    @contextmanager
    def bearing(self, cell):
        """Lends the one model of the cell's architecture, bearing the cell's weights.

        What was compiled for it stays valid. Use it inside the `with` only, and do not
        change it: `with bench.bearing(cell) as model: ...`
        """
        with self._locks[cell.model_name]:
            yield self._stage(cell)

    def seed_chances(self, case, cell):
        """Returns the chances that all seeds of the shipped study gave an image.

        Args:
            case: A `Case`.
            cell: A `Cell`.

        Returns:
            A tuple, one chance a seed; empty where the study kept none.
        """
        if case.position is None:
            return ()
        if cell.shortcut is not None and not is_unmarked(case):
            return ()  # those networks saw the image with a mark
        return seed_chances(cell, case.position)

    def warm_up(self, method="lrp.epsilon"):
        """Lets each architecture and each method answer once, before anybody asks.

        The networks that the page opens with are compiled for a method, and stay so.
        """
        networks = one_of_each(shipped())
        for cell in networks:
            if self._resting.is_set():
                return
            case = drawn_cases(cell.dataset)[0]
            self.answer(case, cell, method)
            self.chances(case, cell)
            if cell.backbone != next(iter(BACKBONES)):
                continue
            with self._locks[cell.model_name]:
                entry = self._analyzer(cell, method, {})
            # Without the lock: whoever asks meanwhile is answered step by step.
            self._analyzers.compile(entry, case.pixels)
        for chosen in METHODS.values():
            readers = [cell for cell in networks if chosen.can_read(cell)]
            if readers and not self._resting.is_set():
                case = drawn_cases(readers[0].dataset)[0]
                self.answer(case, readers[0], chosen.name)

    def forget(self):
        """Forgets all answers, but not what is compiled."""
        with self._books:
            self._answers.clear()
            self._held = 0

    def rest(self):
        """Ends a warm-up that is under way, and compiles nothing more."""
        self._resting.set()
        self._analyzers.rest()

    def _ask(self, case, cell, method, options):
        from medattn.explain import audit_line, pointing_game, relevance_mass
        from medattn.figures import pixel_relevance

        batch = case.pixels[None]
        audit = line = ledger = None
        try:
            analyzer = self._analyzer(cell, method, options)
            maps, ledger, logits = self._analyzers.account(analyzer, case.pixels)
            if logits is None:
                logits = self._stage(cell).predict_on_batch(batch)
        except ValueError as error:
            logits = self._stage(cell).predict_on_batch(batch)
            refused = _reason(error)
            return Answer(cell, *_certainty(logits), refused=refused, method=method)
        if ledger is not None:
            audit = {name: float(values[0]) for name, values in ledger.items()}
            line = audit_line(ledger)
        relevance = pixel_relevance(maps[0]).astype(np.float32)
        quality = {}
        if case.has_evidence and np.abs(relevance).sum() > 0:
            for name, measure in (
                ("mass", relevance_mass),
                ("pointing", pointing_game),
            ):
                quality[name] = float(measure(relevance[None], case.evidence[None])[0])
        found = relevance, audit, line, quality
        return Answer(cell, *_certainty(logits), *found, method=method)

    # Networks

    def _load(self, cell):
        from medattn.zoo import load_zoo_model

        return load_zoo_model(cell.model_name, **cell.which)

    def _stage(self, cell):
        """Returns the one model of the cell's architecture, bearing its weights."""
        model, bears = self._stages.get(cell.model_name, (None, None))
        if model is None:
            model = self._load(cell)
            self._weights[cell] = model.get_weights()
        elif bears != cell:
            if cell not in self._weights:
                self._weights[cell] = self._load_weights(cell, model)
            else:
                for at, array in enumerate(self._weights[cell]):
                    model.weights[at].assign(array)
        self._stages[cell.model_name] = model, cell
        return model

    def _load_weights(self, cell, model):
        from medattn.zoo import load_zoo_weights

        load_zoo_weights(model, **cell.which)
        return model.get_weights()

    def _analyzer(self, cell, method, options):
        """Returns an analyzer's `Entry`; its model bears the cell's weights."""
        from medattn.explain import create_analyzer

        chosen = METHODS[method]
        if not chosen.can_read(cell):
            raise ValueError(chosen.what_is_missing(cell, Words()))
        stage = self._stage(cell)
        options = dict(chosen.options) | options
        key = cell.model_name, method, tuple(sorted(options.items()))
        return self._analyzers.get(
            key,
            lambda: create_analyzer(
                method, stage, neuron_selection_mode="index", **options
            ),
        )

    # Memory

    def _recall(self, key):
        with self._books:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def _keep(self, key, answer):
        with self._books:
            if key not in self._answers:
                self._held += _size(answer)
            self._answers[key] = answer
            while self._held > self._most and len(self._answers) > 1:
                _, old = self._answers.popitem(last=False)
                self._held -= _size(old)


def _certainty(logits):
    """Returns the probability and the logit of the positive class."""
    other, own = np.asarray(logits[0], np.float64)
    return float(1 / (1 + np.exp(other - own))), float(own)


def _reason(error):
    """Says in one sentence why a method gave no map."""
    text = str(error).split(" Expected ")[0].split(" Received: ")[0]
    return text if text.endswith(".") else f"{text}."


def _size(answer):
    """Bytes of an answer, roughly."""
    return 2048 + (0 if answer.relevance is None else answer.relevance.nbytes)
