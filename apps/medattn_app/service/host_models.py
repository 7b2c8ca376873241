"""Models of the host's own: from the folder that was allowed, never from a visitor."""

import hashlib
from collections import OrderedDict
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medattn.data import fit_image
from medattn.explain import audit_line, create_analyzer
from medattn.figures import pixel_relevance
from medattn.zoo import list_own_models, load_own_model
from medattn_app.domain.cases import Case
from medattn_app.domain.constants import Network
from medattn_app.service.analyzers import POSITIVE
from medattn_app.service.answers import Answer

MAX_MODELS = 4  # in memory
MAX_NAME_CHARACTERS = 40


@dataclass(frozen=True)
class HostCell:
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
        lock: Held while a network computes, that of the `NetworkService`.
    """

    def __init__(self, folder: str | Path | None, lock: AbstractContextManager[Any]):
        self._folder, self._lock = folder, lock
        # By file name: the model, and its analyzers.
        self._loaded: OrderedDict[str, tuple[Network, dict]] = OrderedDict()

    def cells(self) -> list[HostCell]:
        """Lists the models; new files are seen at the next call."""
        if self._folder is None:
            return []
        found = []
        for name, record in list_own_models(self._folder).items():
            trial = (record or {}).get("trial")
            trial = trial if isinstance(trial, dict) else {}
            title = str(trial.get("model", ""))[:MAX_NAME_CHARACTERS]
            regime = trial.get("regime")
            if title and isinstance(regime, int | float):
                title += f", {regime:.0%}"
            dataset = str(trial.get("dataset", ""))[:MAX_NAME_CHARACTERS]
            title = f"{name} ({title}, {dataset})" if title else name
            found.append(HostCell(name, title, dataset))
        return found

    def answer(self, case: Case, cell: HostCell, method: str, **options: Any) -> Answer:
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
            exponentials = np.exp(logits - logits.max())
            probability = float(exponentials[target] / exponentials.sum())
            certainty = probability, float(logits[target])
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
                return Answer(cell, *certainty, refused=reason)
            audit = line = None
            if hasattr(analyzer, "audit"):
                audits = analyzer.audit(batch, target)
                audit = {name: float(values[0]) for name, values in audits.items()}
                line = audit_line(audits)
        return Answer(cell, *certainty, relevance.astype(np.float32), audit, line)

    def file_hash(self, cell: HostCell) -> str:
        """Hashes a model's file, SHA-256."""
        assert self._folder is not None
        path = Path(self._folder) / cell.name
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def _load(self, name: str) -> tuple[Network, dict[Any, Any]]:
        assert self._folder is not None
        if name not in self._loaded:
            self._loaded[name] = load_own_model(self._folder, name), {}
            if len(self._loaded) > MAX_MODELS:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(name)
        return self._loaded[name]
