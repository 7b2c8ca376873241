"""Answers in, what the page draws out: numbers as texts, maps as bytes, sentences."""

import base64

import numpy as np

from medattn.figures import colour_scale, grey, png_bytes
from medattn_app.domain.cases import cached_per_case
from medattn_app.domain.cells import cell_id
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
from medattn_app.service.answers import refusal

PERCENTILE = 99  # of |R| over the grid: beyond it colours are full
STEPS = 32_000  # a map's numbers travel as whole numbers up to this


def grid_view(rows, columns, cells, words):
    """Describes the grid for the page: heads and ids, row by row."""
    return {
        "columns": [
            words(f"explore.shortcut_{column}")
            if column in SHORTCUTS
            else REGIMES[column]
            for column in columns
        ],
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


def grid_title(question, words):
    """Says what all networks of the grid have in common."""
    title = words("explore.grid")
    if question.shortcut != "none":
        return f"{title}; {words('explore.grid_shortcut')}"
    if question.initialisation != "random":
        return f"{title}; {words(f'explore.start_{question.initialisation}')}"
    return title


def cell_view(case, answer, record, words, seeds=()):
    """Describes one cell for the page.

    Args:
        case: The `Case`.
        answer: Its `Answer`.
        record: The record of the network's trial.
        words: The texts.
        seeds: The chances that networks of other seeds gave this image.

    Returns:
        A dict of JSON's types; texts are plain, not HTML.
    """
    found = {
        "chance": probability_text(answer.probability),
        "p": answer.probability,
        "title": cell_title(answer.cell, words),
        "auroc": f"{record['measured']['test']['auroc']:.3f}",
        "alt": alternative(case, answer, words),
        "refused": refusal(answer, words),
        "ledger": audit_text(answer.audit, words),
        "adds": answer.audit_line is not None and "fails" not in answer.audit_line,
        "mass": None,
        "map": None,
        "seeds": None,
    }
    if "mass" in answer.quality:
        found["mass"] = percent(answer.quality["mass"])
        found["share"] = answer.quality["mass"]
    if answer.relevance is not None:
        found["map"] = packed(answer.relevance)
    if len(seeds) > 1:
        found["seeds"] = {
            "low": min(seeds),
            "high": max(seeds),
            "text": words(
                "explore.seeds",
                low=probability_text(min(seeds)),
                high=probability_text(max(seeds)),
                count=len(seeds),
            ),
        }
    return found


def scale_view(answers, method, words):
    """Finds the one scale of all maps on the page, as a number and as a text."""
    maps = [a.relevance for a in answers if a.relevance is not None]
    if not maps:
        return {"value": 1.0, "text": "", "unit": unit_text(method, words)}
    scale = colour_scale(*maps, percentile=PERCENTILE)
    return {"value": scale, "text": f"{scale:.2g}", "unit": unit_text(method, words)}


def case_view(case, words):
    """Describes an image: its pictures, its truth, its evidence as rows of bits."""
    rows = None
    if case.has_evidence:
        rows = ["".join("1" if bit else "0" for bit in row) for row in case.evidence]
    return {
        "key": case.key,
        "name": case_name(case, words),
        "truth": truth_text(case, words) or words("explore.nobody_knows"),
        "label": case.label,
        "known": case.label is not None,
        "photo": _photo(case),
        "grey": _grey(case),
        "evidence": rows,
    }


def thumbnails(cases, words):
    """Draws a strip of images: what each is called, and a small picture."""
    return [{"name": case_name(c, words), "picture": _small(c)} for c in cases]


def packed(relevance):
    """Packs a map for the page: whole numbers of two bytes, and what one step is."""
    most = float(np.abs(relevance).max())
    step = most / STEPS or 1.0
    whole = np.rint(np.asarray(relevance, np.float64) / step).astype("<i2")
    return {"data": base64.b64encode(whole.tobytes()).decode(), "step": step}


def alternative(case, answer, words):
    """Says in a sentence what the map shows, for those who do not see it."""
    chance, name = probability_text(answer.probability), case_name(case, words)
    if answer.relevance is None:
        return words("explore.alt_none", name=name, chance=chance)
    size = np.abs(answer.relevance)
    height, width = size.shape
    quarters = size.reshape(2, height // 2, 2, width // 2).sum(axis=(1, 3))
    if not quarters.sum():
        return words("explore.alt_zero", name=name, chance=chance)
    row, column = np.unravel_index(quarters.argmax(), quarters.shape)
    return words(
        "explore.alt",
        name=name,
        share=percent(quarters.max() / quarters.sum()),
        quarter=words(f"explore.quarter_{row}{column}"),
        chance=chance,
    )


def snippet(cell, method, options, case):
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


def _row_title(row, words):
    backbone, block = row
    if block == SELF_ATTENTION:
        return backbone
    return attention_title(block, words)


@cached_per_case
def _photo(case):
    return _uri(case.picture)


@cached_per_case
def _grey(case):
    return _uri(grey(case.picture))


@cached_per_case
def _small(case):
    return _uri(case.picture[::4, ::4])


def _uri(pixels):
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()
