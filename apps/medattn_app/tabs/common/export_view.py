"""What is exported: an image with its answers, as lines of text and rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medattn import __version__
from medattn_app.domain.cases import Case, baselines
from medattn_app.domain.cells import Cell
from medattn_app.domain.labels import (
    Titled,
    audit_text,
    case_name,
    cell_title,
    image_kind,
    truth_text,
    unit_text,
)
from medattn_app.domain.state import method_options, read_question
from medattn_app.domain.texts import Words
from medattn_app.service.answers import Answer, refusal
from medattn_app.service.context import Context
from medattn_app.service.distance import domain_note
from medattn_app.service.grid import comparison_grid

HASH_DIGITS = 12  # of a hash, that are shown
COLUMNS = (
    "image", "truth", "network", "dataset", "backbone", "attention", "regime", "seed",
    "initialisation", "shortcut", "method", "unit", "probability", "logit", "map_sum",
    "map_largest",
    "relevance_in_evidence", "random_map", "edge_detector", "strongest_pixel_inside",
    "ledger", "refused", "note", "weights_sha256", "medattn",
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """What is on the page: one image, the network in the middle, those compared.

    Attributes:
        case: The image.
        chosen: The answer in the middle.
        others: The answers beside it, the chosen one among them.
        method: Name of the method.
        hashes: From a network to the hash of its weights.
        note: What must be said of the image wherever it goes, or an empty text.
    """

    case: Case
    chosen: Answer
    others: tuple[Answer, ...]
    method: str
    hashes: Mapping[Cell | Titled, str] = field(default_factory=dict)
    note: str = ""


def view_of(context: Context, question: object) -> View:
    """Finds what a question of the page shows.

    Args:
        context: The page's `Context`.
        question: A dict as `medattn_app.domain.state.read_question` takes it.

    Returns:
        A `View`; networks that are not shipped are left out of the comparison.

    Raises:
        ValueError: If the question is none, or its network is not shipped.
    """
    asked, service = read_question(question or {}), context.service
    case, cell = service.case_of(asked), service.cell_of(asked)
    options = method_options(asked)
    chosen = service.answer(case, cell, asked.method, **options)
    _, _, beside = comparison_grid(service, asked)
    others = {
        one: service.answer(case, one, asked.method, **options)
        for one in beside.values()
        if one.backbone == asked.backbone
    }
    hashes: dict[Cell | Titled, str] = {
        cell: service.record(cell)["weights_sha256"] for cell in others
    }
    return View(case, chosen, tuple(others.values()), asked.method, hashes)


def view_of_upload(
    case: Case, answer: Answer, method: str, digest: str, words: Words
) -> View:
    """Gathers what is exported of a visitor's image: it, one network, what it is worth.

    Args:
        case: The image.
        answer: What the network answers about it.
        method: Name of the method.
        digest: Hash of the network's weights.
        words: The texts.

    Returns:
        A `View`, whose note says how far the image lies from all that the network has
        seen.
    """
    _, note = domain_note(case, getattr(answer.cell, "dataset", ""), words)
    return View(case, answer, (answer,), method, {answer.cell: digest}, note)


def caption(view: View, words: Words) -> list[str]:
    """Writes the lines below a picture.

    Args:
        view: What is exported.
        words: The texts.

    Returns:
        A list of lines: the network, the method, the audit, the measures, the hash.
    """
    answer, cell = view.chosen, view.chosen.cell
    truth = truth_text(view.case, words)
    kind = image_kind(getattr(cell, "dataset", ""), words)
    lines = [
        f"{cell_title(cell, words)} ({kind}); "
        + case_name(view.case, words)
        + (f", {truth}" if truth else ""),
        f"{words(f'method.{view.method}')}, {unit_text(view.method, words)}",
    ]
    sentences = audit_text(answer.audit, words), refusal(answer, words)
    lines += [sentence for sentence in sentences if sentence]
    reference = baselines(view.case)
    if "mass" in answer.quality and reference is not None:
        lines.append(
            words(
                "export.mass",
                mass=f"{answer.quality['mass']:.0%}",
                random=f"{reference[0]:.1%}",
                edges=f"{reference[1]:.0%}",
            )
        )
    lines += [view.note] if view.note else []
    weights = view.hashes.get(answer.cell, "")[:HASH_DIGITS]
    hashed = words("export.weights", version=__version__, weights=weights)
    lines.append(f"{hashed}; {words('page.warning')}")
    return lines


def snippet(view: View) -> str:
    """Writes the lines of Python that give the numbers again; empty for an upload."""
    cell, case = view.chosen.cell, view.case
    if case.position is None or not isinstance(cell, Cell):
        return ""
    return (
        f"model = {cell.code}\n"
        f'images = draw_images("{case.dataset}", [{case.position}])["image"] / 255.0\n'
        f'analyzer = create_analyzer("{view.method}", model, '
        'neuron_selection_mode="index")\n'
        "relevance = analyzer.analyze(images, 1)"
    )


def number_row(view: View, answer: Answer, words: Words) -> dict[str, Any]:
    """Writes the numbers of one network, by the names of `COLUMNS`."""
    cell = answer.cell
    reference = baselines(view.case) or (None, None)
    relevance = answer.relevance
    return {
        "image": case_name(view.case, words),
        "truth": truth_text(view.case, words),
        "network": cell_title(cell, words),
        **{
            key: getattr(cell, key, None)
            for key in ("dataset", "backbone", "attention", "regime", "seed")
        },
        "initialisation": getattr(cell, "initialisation", None),
        "shortcut": getattr(cell, "shortcut", None),
        "method": view.method,
        "unit": unit_text(view.method, words),
        "probability": answer.probability,
        "logit": answer.logit,
        "map_sum": None if relevance is None else float(relevance.sum()),
        "map_largest": None if relevance is None else float(np.abs(relevance).max()),
        "relevance_in_evidence": answer.quality.get("mass"),
        "random_map": reference[0],
        "edge_detector": reference[1],
        "strongest_pixel_inside": answer.quality.get("pointing"),
        "ledger": audit_text(answer.audit, words),
        "refused": refusal(answer, words),
        "note": view.note,
        "weights_sha256": view.hashes.get(cell, ""),
        "medattn": __version__,
    }
