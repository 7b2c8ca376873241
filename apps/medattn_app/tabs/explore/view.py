"""Answers in, what the page draws out: numbers as texts, maps as bytes, sentences."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medattn.figures import colour_scale
from medattn_app.domain.cases import Case
from medattn_app.domain.cells import Cell, cell_id
from medattn_app.domain.constants import REGIMES, SELF_ATTENTION, SHORTCUTS
from medattn_app.domain.labels import (
    attention_title,
    audit_text,
    case_name,
    cell_title,
    percent,
    probability_text,
    truth_text,
    unit_text,
)
from medattn_app.domain.state import Question
from medattn_app.domain.texts import Words
from medattn_app.service.answers import Answer, refusal
from medattn_app.service.grid import Cells, Column, Row
from medattn_app.tabs.common.descriptions import describe_map
from medattn_app.tabs.common.overlays import grey_photo, photo, thumbnail

PERCENTILE = 99  # of |R| over the grid: beyond it colours are full
LARGEST_STEP = 32_000  # a map's numbers travel as whole numbers up to this
Json = dict[str, Any]


def grid_view(
    rows: Sequence[Row], columns: Sequence[Column], cells: Cells, words: Words
) -> Json:
    """Describes the grid for the page: heads and ids, row by row."""
    return {
        "columns": [_column_title(column, words) for column in columns],
        "rows": [
            {
                "title": _row_title(row, words),
                "cells": [
                    cell_id(cells[row, column]) if (row, column) in cells else None
                    for column in columns
                ],
            }
            for row in rows
        ],
    }


def grid_title(question: Question, words: Words) -> str:
    """Says what all networks of the grid have in common."""
    title = words("explore.grid")
    if question.shortcut != "none":
        return f"{title}; {words('explore.grid_shortcut')}"
    if question.initialisation != "random":
        return f"{title}; {words(f'explore.start_{question.initialisation}')}"
    return title


def cell_view(
    case: Case,
    answer: Answer,
    record: Mapping[str, Any],
    words: Words,
    seeds: Sequence[float] = (),
) -> Json:
    """Describes one cell for the page.

    Args:
        case: The image.
        answer: What the cell's network answers about it.
        record: The record of the network's trial.
        words: The texts.
        seeds: The probabilities that networks of other seeds gave this image.

    Returns:
        A dict of JSON's types; texts are plain, not HTML.
    """
    mass = answer.quality.get("mass")
    return {
        "probability": answer.probability,
        "probability_text": probability_text(answer.probability),
        "title": cell_title(answer.cell, words),
        "auroc": f"{record['measured']['test']['auroc']:.3f}",
        "alt": describe_map(case, answer, words),
        "refused": refusal(answer, words),
        "audit": audit_text(answer.audit, words),
        "adds": answer.audit_line is not None and "fails" not in answer.audit_line,
        "mass": mass,
        "mass_text": None if mass is None else percent(mass),
        "map": None if answer.relevance is None else pack_map(answer.relevance),
        "seeds": seeds_view(seeds, words),
    }


def seeds_view(seeds: Sequence[float], words: Words) -> Json | None:
    """Describes the spread of probabilities over seeds; None of fewer than two."""
    if len(seeds) < 2:
        return None
    text = words(
        "explore.seeds",
        low=probability_text(min(seeds)),
        high=probability_text(max(seeds)),
        count=len(seeds),
    )
    return {"low": min(seeds), "high": max(seeds), "text": text}


def baselines_view(random: float, edges: float) -> Json:
    """Describes what maps without a network put inside the evidence, as fractions."""
    return {
        name: {"fraction": fraction, "text": percent(fraction)}
        for name, fraction in (("random", random), ("edges", edges))
    }


def scale_view(answers: Sequence[Answer], method: str, words: Words) -> Json:
    """Finds the one scale of all maps on the page, as a number and as a text."""
    maps = [a.relevance for a in answers if a.relevance is not None]
    if not maps:
        return {"value": 1.0, "text": "", "unit": unit_text(method, words)}
    scale = colour_scale(*maps, percentile=PERCENTILE)
    return {"value": scale, "text": f"{scale:.2g}", "unit": unit_text(method, words)}


def case_view(case: Case, words: Words) -> Json:
    """Describes an image: its pictures, its truth, its evidence as rows of bits."""
    rows = None
    if case.evidence is not None and case.has_evidence:
        rows = ["".join("1" if bit else "0" for bit in row) for row in case.evidence]
    return {
        "key": case.key,
        "name": case_name(case, words),
        "truth": truth_text(case, words) or words("explore.nobody_knows"),
        "label": case.label,
        "known": case.label is not None,
        "photo": photo(case),
        "grey": grey_photo(case),
        "evidence": rows,
    }


def thumbnails(cases: Sequence[Case], words: Words) -> list[Json]:
    """Describes a strip of images: what each is called, and a small picture."""
    return [{"name": case_name(c, words), "picture": thumbnail(c)} for c in cases]


def pack_map(relevance: np.ndarray) -> Json:
    """Packs a map for the page: whole numbers of two bytes, and what one step is."""
    largest = float(np.abs(relevance).max())
    step = largest / LARGEST_STEP or 1.0
    steps = np.rint(np.asarray(relevance, np.float64) / step).astype("<i2")
    return {"data": base64.b64encode(steps.tobytes()).decode(), "step": step}


def snippet(cell: Cell, method: str, options: Mapping[str, object], case: Case) -> str:
    """Writes the three lines of Python that make the map on the page."""
    given = "".join(f", {name}={value!r}" for name, value in options.items())
    images = "images"
    if case.position is not None:
        images = (
            f'draw_images("{case.dataset}", [{case.position}])["image"] / '
            "np.float32(255)"
        )
    return (
        f"model = {cell.code}\n"
        f'analyzer = create_analyzer("{method}", model, '
        f'neuron_selection_mode="index"{given})\n'
        f"relevance = analyzer.analyze({images}, 1)"
    )


def _column_title(column: Column, words: Words) -> str:
    if isinstance(column, str) and column in SHORTCUTS:
        return words(f"explore.shortcut_{column}")
    return REGIMES[float(column)]


def _row_title(row: Row, words: Words) -> str:
    backbone, block = row
    return backbone if block == SELF_ATTENTION else attention_title(block, words)
