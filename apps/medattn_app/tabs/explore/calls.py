"""What Explore's page asks the server, each call a dict in and a dict out."""

import time
from dataclasses import asdict, replace
from functools import lru_cache

from medattn_app.domain.cases import baselines
from medattn_app.domain.cells import cell_id
from medattn_app.domain.constants import (
    ATTENTION,
    BACKBONES,
    DATASETS,
    INITIALISATIONS,
    REFERENCES,
    REGIMES,
    SHORTCUTS,
)
from medattn_app.domain.labels import class_name, percent
from medattn_app.domain.methods import METHODS
from medattn_app.domain.state import (
    Question,
    method_options,
    read_question,
    write_query,
)
from medattn_app.domain.texts import LANGUAGES, Words, read_texts
from medattn_app.service.answers import refusal
from medattn_app.service.conclusion import changed, over_seeds
from medattn_app.service.distance import domain_note
from medattn_app.service.grid import comparison_grid, varied_networks
from medattn_app.service.uploads import UploadedCases, read_upload
from medattn_app.tabs.explore import view

PATIENCE = 0.15  # seconds that one call goes on filling the grid
# Beside its own texts the page's script writes those whose keys begin so.
NAMED = ("dataset.", "group.", "method.", "hint.", "reference.")


class Answers:
    """Answers the page; it keeps no state of a visitor but the images they sent.

    Args:
        context: The page's `Context`.
    """

    def __init__(self, context):
        self.service, self.settings = context.service, context.settings
        self._host_words = context.words
        self.uploads = UploadedCases()

    def words(self, question):
        """Returns the texts in the question's language."""
        return self._words_in(getattr(question, "lang", None))

    def catalogue(self):
        """Lists what can be chosen, for the controls."""
        service = self.service
        cells = [c for d in service.datasets() for c in service.networks(d)]
        groups = {}
        for method in METHODS.values():
            groups.setdefault(method.group, []).append(method.name)
        return {
            "datasets": service.datasets(),
            "images": {d: len(_gallery(d)) for d in service.datasets()},
            "backbones": [b for b in BACKBONES if any(c.backbone == b for c in cells)],
            "attention": [a for a in ATTENTION if any(c.attention == a for c in cells)],
            "regimes": {f"{r:g}": title for r, title in REGIMES.items()},
            "methods": groups,
            "references": list(REFERENCES),
            "seeds": sorted({c.seed for c in cells}),
            "varied": {d: varied_networks(service, d) for d in service.datasets()},
            "initialisations": list(INITIALISATIONS),
            "shortcuts": list(SHORTCUTS),
            "uploads": self.settings.uploads,
            "first": asdict(self.first()) | {"hide": []},
            "texts": {lang: _texts(lang) for lang in LANGUAGES},
        }

    def first(self):
        """The question that the page opens with."""
        question = Question(lang=self._host_words.language)
        datasets = self.service.datasets()
        if datasets and question.dataset not in datasets:
            question = replace(question, dataset=datasets[0])
        there = self.service.networks(question.dataset)
        wanted = [c for c in there if c.attention in ATTENTION] or there
        if wanted and not any(
            cell_id(c) == "ResNet|CBAM|1" and c.seed == 0 for c in there
        ):
            cell = max(wanted, key=lambda c: c.regime)
            return replace(
                question,
                backbone=cell.backbone,
                attention=cell.attention if cell.attention in ATTENTION else "none",
                regime=cell.regime,
                seed=cell.seed,
            )
        return question

    # Calls of the page

    def strip(self, payload):
        """Sends the images of a data set, small."""
        dataset = payload.get("dataset")
        self._known(dataset)
        words = self._words_in(payload.get("lang"))
        return {"images": view.thumbnails(self.service.cases(dataset), words)}

    def picture(self, payload):
        """Sends one image, large, with its truth and its evidence."""
        question = read_question(payload.get("question"))
        case = self.case(question, payload.get("own"))
        return view.case_view(case, self.words(question))

    def answer(self, payload):
        """Answers a question: the chosen cell, and what of the grid is known."""
        question = read_question(payload.get("question"))
        case = self.case(question, payload.get("own"))
        words, cell = self.words(question), self.cell(question)
        options = method_options(question)
        own = self.service.answer(case, cell, question.method, **options)
        found = self._grid(payload, question, case)
        found |= {
            "id": cell_id(cell),
            "question": asdict(question) | {"hide": list(question.hide)},
            "query": write_query(question),
            "case": case.key,
            "cell": self._cell(case, own, words),
            "change": changed(
                self.service, question, case, own, payload.get("previous"), words
            ),
            "python": view.snippet(cell, question.method, options, case),
            "hint": words(f"hint.{question.method}"),
            "positive": class_name(question.dataset, 1, words),
            "caution": caution(case, question.dataset, words),
        }
        known = baselines(case)
        if known is not None:
            found["baselines"] = {
                "random": percent(known[0]),
                "edges": percent(known[1]),
                "random_share": known[0],
                "edges_share": known[1],
            }
        return found

    def fill(self, payload):
        """Computes cells of the grid that are missing, for a moment."""
        question = read_question(payload.get("question"))
        case = self.case(question, payload.get("own"))
        options = method_options(question)
        _, _, cells = comparison_grid(self.service, question)
        end = time.monotonic() + PATIENCE
        for cell in _nearest_first(cells.values(), self.cell(question)):
            known = self.service.cached(case, cell, question.method, **options)
            if known is None:
                self.service.answer(case, cell, question.method, **options)
                if time.monotonic() > end:
                    break
        return self._grid(payload, question, case)

    def conclude(self, payload):
        """Says what the study's seeds bear about the change."""
        question = read_question(payload.get("question"))
        found = {
            "study": over_seeds(
                self.service, question, payload.get("previous"), self.words(question)
            )
        }
        if payload.get("own") is not None:
            from medattn_app.service.distance import domain_note

            case, words = self.case(question, payload["own"]), self.words(question)
            _, note = domain_note(case, question.dataset, words)
            found["caution"] = f"{words('explore.caution')} {note}"
        return found

    def gates(self, payload):
        """Sends where the network's spatial gates let through, for the large view."""
        question = read_question(payload.get("question"))
        case = self.case(question, payload.get("own"))
        found = self.service.answer(case, self.cell(question), "attention.spatial_gate")
        if found.relevance is None:
            return {"refused": refusal(found, self.words(question))}
        return {"map": view.packed(found.relevance), "id": cell_id(found.cell)}

    # What calls share

    def case(self, question, own=None):
        """Finds the image of a question, or a visitor's own by its token."""
        if own is not None:
            found = self.uploads.find(own)
            if found is None:
                raise ValueError(self.words(question)("refused.forgotten"))
            return found
        self._known(question.dataset)
        cases = self.service.cases(question.dataset)
        return cases[min(question.image, len(cases) - 1)]

    def cell(self, question):
        """Finds the network of a question."""
        return self.service.cell_of(question)

    def receive(self, path, dataset="fundus"):
        """Keeps a visitor's image for an hour, in memory; returns the token for it."""
        case = read_upload(path, dataset if dataset in DATASETS else "fundus")
        return self.uploads.add(case)

    def _words_in(self, language):
        known = isinstance(language, str) and language in LANGUAGES
        return _words(language) if known else self._host_words

    def _known(self, dataset):
        if not isinstance(dataset, str) or dataset not in self.service.datasets():
            raise ValueError(
                "There is no such data set. Expected one of "
                f"{self.service.datasets()}. "
                f"Received: {str(dataset)[:40]!r}"
            )

    def _grid(self, payload, question, case):
        """Describes the grid, with those known cells that the page has not got yet."""
        words = self.words(question)
        options = method_options(question)
        rows, columns, cells = comparison_grid(self.service, question)
        group = f"{case.key} {question.method} {question.dataset} {question.seed} "
        group += f"{question.lang} {sorted(options.items())}"
        have = payload.get("have") if payload.get("group") == group else []
        have = set(map(str, have)) if isinstance(have, list) else set()
        known, missing, sent = [], [], {}
        for cell in cells.values():
            answer = self.service.cached(case, cell, question.method, **options)
            name = cell_id(cell)
            if answer is None:
                missing.append(name)
                continue
            known.append(answer)
            if name not in have:
                sent[name] = self._cell(case, answer, words)
        return {
            "group": group,
            "grid": view.grid_view(rows, columns, cells, words)
            | {"title": view.grid_title(question, words)},
            "cells": sent,
            "missing": missing,
            "scale": view.scale_view(known, question.method, words),
        }

    def _cell(self, case, answer, words):
        return view.cell_view(
            case,
            answer,
            self.service.record(answer.cell),
            words,
            self.service.seed_probabilities(case, answer.cell),
        )


def caution(case, dataset, words):
    """Says of a visitor's image what it is worth, and how far it lies from all seen."""
    if case.label is not None:
        return None
    _, note = domain_note(case, dataset, words)
    return f"{words('explore.caution')} {note}"


def _nearest_first(cells, chosen):
    """Orders cells: the same network first, then the same regime, then the rest."""
    return sorted(
        cells,
        key=lambda c: (
            (c.backbone, c.attention) != (chosen.backbone, chosen.attention),
            c.regime != chosen.regime,
            c.model_name,
            -c.regime,
        ),
    )


def _gallery(dataset):
    from medattn_app.domain.cases import GALLERIES

    return GALLERIES[dataset]


@lru_cache(maxsize=8)
def _words(language):
    return Words(language)


def _texts(language):
    """Gives the texts that the page's script writes itself."""
    return {
        key.removeprefix("explore."): both[language]
        for key, both in read_texts().items()
        if key.startswith(("explore.", *NAMED))
    }
