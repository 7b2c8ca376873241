"""What Explore's page asks the server, each call a dict in and a dict out."""

import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from medattn_app.domain.cases import Case, baselines
from medattn_app.domain.cells import Cell, cell_id
from medattn_app.domain.constants import DATASETS
from medattn_app.domain.labels import class_name
from medattn_app.domain.state import (
    Question,
    method_options,
    read_question,
    write_query,
)
from medattn_app.domain.texts import LANGUAGES, Words
from medattn_app.service.answers import Answer, refusal
from medattn_app.service.conclusion import changed, over_seeds
from medattn_app.service.context import Context
from medattn_app.service.distance import domain_note
from medattn_app.service.grid import comparison_grid
from medattn_app.service.uploads import UploadedCases, read_upload
from medattn_app.tabs.explore import view
from medattn_app.tabs.explore.catalogue import question_json

PATIENCE = 0.15  # seconds that one call goes on filling the grid
Json = dict[str, Any]


class ExploreCalls:
    """Answers the page; it keeps no state of a visitor but the images they sent.

    A call takes a dict: `question`, the fields of a `Question`; `uploaded`, the key of
    the visitor's image if one is on the page; `previous`, the id of the cell before;
    `group` and `have`, what of the grid the page holds already.

    Args:
        context: The page's `Context`.
    """

    def __init__(self, context: Context):
        self.service = context.service
        self.uploads = UploadedCases()
        self._host_words = context.words

    def strip(self, payload: Json) -> Json:
        """Sends the images of a data set, small."""
        dataset = self._known_dataset(payload.get("dataset"))
        words = self._words_in(payload.get("lang"))
        return {"images": view.thumbnails(self.service.cases(dataset), words)}

    def picture(self, payload: Json) -> Json:
        """Sends one image, large, with its truth and its evidence."""
        question = read_question(payload.get("question"))
        case = self.case(question, payload.get("uploaded"))
        return view.case_view(case, self.words(question))

    def answer(self, payload: Json) -> Json:
        """Answers a question: the chosen cell, and what of the grid is known."""
        question = read_question(payload.get("question"))
        case = self.case(question, payload.get("uploaded"))
        words, cell = self.words(question), self.cell(question)
        options, previous = method_options(question), payload.get("previous")
        answer = self.service.answer(case, cell, question.method, **options)
        reply = self._grid(payload, question, case)
        reply |= {
            "id": cell_id(cell),
            "question": question_json(question),
            "query": write_query(question),
            "case": case.key,
            "cell": self._cell(case, cell, answer, words),
            "change": changed(self.service, question, case, answer, previous, words),
            "python": view.snippet(cell, question.method, options, case),
            "hint": words(f"hint.{question.method}"),
            "positive": class_name(question.dataset, 1, words),
            "caution": caution(case, question.dataset, words),
        }
        known = baselines(case)
        if known is not None:
            reply["baselines"] = view.baselines_view(*known)
        return reply

    def fill(self, payload: Json) -> Json:
        """Computes cells of the grid that are missing, for a moment."""
        question = read_question(payload.get("question"))
        case = self.case(question, payload.get("uploaded"))
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

    def conclude(self, payload: Json) -> Json:
        """Says what the study's seeds support about the change."""
        question = read_question(payload.get("question"))
        words = self.words(question)
        study = over_seeds(self.service, question, payload.get("previous"), words)
        reply: Json = {"study": study}
        if payload.get("uploaded") is not None:
            case = self.case(question, payload["uploaded"])
            reply["caution"] = caution(case, question.dataset, words)
        return reply

    def gates(self, payload: Json) -> Json:
        """Sends where the network's spatial gates let through, for the large view."""
        question = read_question(payload.get("question"))
        case, cell = self.case(question, payload.get("uploaded")), self.cell(question)
        answer = self.service.answer(case, cell, "attention.spatial_gate")
        if answer.relevance is None:
            return {"refused": refusal(answer, self.words(question))}
        return {"map": view.pack_map(answer.relevance), "id": cell_id(cell)}

    def words(self, question: Question | None) -> Words:
        """Returns the texts in the question's language; the host's without one."""
        return self._words_in(getattr(question, "lang", None))

    def case(self, question: Question | None, uploaded: object = None) -> Case:
        """Finds the image of a question, or a visitor's by its key.

        Args:
            question: The question; None if there is a key.
            uploaded: The key of `receive`, or None.

        Raises:
            ValueError: If the image or the data set is unknown.
        """
        if uploaded is not None:
            found = self.uploads.find(uploaded)
            if found is None:
                raise ValueError(self.words(question)("refused.forgotten"))
            return found
        assert question is not None
        cases = self.service.cases(self._known_dataset(question.dataset))
        return cases[min(question.image, len(cases) - 1)]

    def cell(self, question: Question) -> Cell:
        """Finds the network of a question."""
        return self.service.cell_of(question)

    def receive(self, path: str | Path, question: object = None) -> Json:
        """Keeps a visitor's image for an hour, in memory, and answers about it at once.

        Args:
            path: Where Gradio put the file.
            question: The question on the page, a dict.

        Returns:
            A dict with the image's key, `uploaded`, and the replies of `picture` and of
            `answer`; where the question has no answer, the key only.

        Raises:
            ValueError: If the file is not an image.
        """
        question = question if isinstance(question, dict) else {}
        dataset = question.get("dataset")
        if not isinstance(dataset, str) or dataset not in DATASETS:
            dataset = Question().dataset
        key = self.uploads.add(read_upload(path, dataset))
        payload = {"question": question, "uploaded": key}
        try:
            picture, answer = self.picture(payload), self.answer(payload)
        except ValueError:  # the page asks again, and shows the sentence
            return {"uploaded": key}
        return {"uploaded": key, "picture": picture, "answer": answer}

    def _words_in(self, language: object) -> Words:
        known = isinstance(language, str) and language in LANGUAGES
        return _words(str(language)) if known else self._host_words

    def _known_dataset(self, dataset: object) -> str:
        if not isinstance(dataset, str) or dataset not in self.service.datasets():
            raise ValueError(
                "There is no such data set. Expected one of "
                f"{self.service.datasets()}. Received: {str(dataset)[:40]!r}"
            )
        return dataset

    def _grid(self, payload: Json, question: Question, case: Case) -> Json:
        """Describes the grid, with those known cells that the page has not got yet."""
        words = self.words(question)
        options = method_options(question)
        rows, columns, cells = comparison_grid(self.service, question)
        group = f"{case.key} {question.method} {question.dataset} {question.seed} "
        group += f"{question.lang} {sorted(options.items())}"
        have = payload.get("have") if payload.get("group") == group else []
        held = set(map(str, have)) if isinstance(have, list) else set()
        known, missing, sent = [], [], {}
        for cell in cells.values():
            answer = self.service.cached(case, cell, question.method, **options)
            name = cell_id(cell)
            if answer is None:
                missing.append(name)
                continue
            known.append(answer)
            if name not in held:
                sent[name] = self._cell(case, cell, answer, words)
        return {
            "group": group,
            "grid": view.grid_view(rows, columns, cells, words)
            | {"title": view.grid_title(question, words)},
            "cells": sent,
            "missing": missing,
            "scale": view.scale_view(known, question.method, words),
        }

    def _cell(self, case: Case, cell: Cell, answer: Answer, words: Words) -> Json:
        record = self.service.record(cell)
        seeds = self.service.seed_probabilities(case, cell)
        return view.cell_view(case, answer, record, words, seeds)


def caution(case: Case, dataset: str, words: Words) -> str | None:
    """Says of a visitor's image what it is worth, and how far it lies from all seen."""
    if case.label is not None:
        return None
    _, note = domain_note(case, dataset, words)
    return f"{words('explore.caution')} {note}"


def _nearest_first(cells: Iterable[Cell], chosen: Cell) -> list[Cell]:
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


@lru_cache(maxsize=8)
def _words(language: str) -> Words:
    return Words(language)
