"""Models of the host's own: from the folder that was allowed, never from a visitor."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medattn.data import fit_image
from medattn.explain import audit_line, create_analyzer
from medattn.figures import pixel_relevance
from medattn.zoo import list_own_models, load_own_model
from medattn_app.service.analyzers import POSITIVE
from medattn_app.service.networks import Answer

KEPT = 4  # models in memory


@dataclass(frozen=True)
class OwnCell:
    """One model of the host's.

    Attributes:
        name: Its file's name within the folder.
        title: What the page calls it.
        dataset: What it was trained on, as its record says; empty if there is none.
    """

    name: str
    title: str
    dataset: str = ""


class HostModels:
    """The `.keras` files of an allowed folder, ready to answer.

    Args:
        folder: Path of the folder, or None: then there are none.
        lock: Held while a network computes, the bench's.
    """

    def __init__(self, folder, lock):
        self._folder, self._lock = folder, lock
        self._kept = OrderedDict()

    def cells(self):
        """Lists the models as `OwnCell`s; new files are seen at the next call."""
        if self._folder is None:
            return []
        found = []
        for name, record in list_own_models(self._folder).items():
            trial = (record or {}).get("trial")
            trial = trial if isinstance(trial, dict) else {}
            title = str(trial.get("model", ""))[:40]
            regime = trial.get("regime")
            if title and isinstance(regime, int | float):
                title += f", {regime:.0%}"
            dataset = str(trial.get("dataset", ""))[:40]
            title = f"{name} ({title}, {dataset})" if title else name
            found.append(OwnCell(name, title, dataset))
        return found

    def answer(self, case, cell, method, **options):
        """Asks a model about an image.

        Args:
            case: A `Case`.
            cell: One of `cells()`.
            method: Name of an analyzer.
            **options: Of the analyzer.

        Returns:
            An `Answer` for the second class of two, or the likeliest of more; its map
            has the model's own size.
        """
        with self._lock:
            model, analyzers = self._load(cell.name)
            size = model.input_shape[1]
            batch = case.pixels[None]
            if size != case.pixels.shape[0]:
                batch = fit_image(case.picture, size)[None]
            logits = model.predict_on_batch(batch)[0].astype(np.float64)
            target = POSITIVE if len(logits) == 2 else int(logits.argmax())
            chances = np.exp(logits - logits.max())
            chance = float(chances[target] / chances.sum())
            key = method, tuple(sorted(options.items()))
            try:
                if key not in analyzers:
                    analyzers[key] = create_analyzer(
                        method, model, neuron_selection_mode="index", **options
                    )
                analyzer = analyzers[key]
                relevance = pixel_relevance(analyzer.analyze(batch, target)[0])
            except ValueError as error:
                reason = str(error).split(" Expected ")[0]
                return Answer(cell, chance, float(logits[target]), refused=reason)
            audit = line = None
            if hasattr(analyzer, "audit"):
                ledger = analyzer.audit(batch, target)
                audit = {name: float(values[0]) for name, values in ledger.items()}
                line = audit_line(ledger)
        relevance = relevance.astype(np.float32)
        return Answer(cell, chance, float(logits[target]), relevance, audit, line)

    def hash(self, cell):
        """Hashes a model's file, SHA-256."""
        path = Path(self._folder) / cell.name
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def _load(self, name):
        if name not in self._kept:
            self._kept[name] = load_own_model(self._folder, name), {}
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(name)
        return self._kept[name]
