"""The sentence: what changed for this image, and what the study's seeds support."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from medattn_app.domain.cases import Case
from medattn_app.domain.cells import Cell, cell_id
from medattn_app.domain.constants import REGIMES, SELF_ATTENTION
from medattn_app.domain.labels import (
    cell_title,
    class_name,
    percent,
    probability_text,
)
from medattn_app.domain.state import Question, method_options
from medattn_app.domain.texts import Words
from medattn_app.service.answers import Answer
from medattn_app.service.networks import NetworkService

if TYPE_CHECKING:
    from medattn.study import Comparison

# The shipped studies, in the order in which they are searched; seeds are paired in one.
STUDIES = ("micro", "pretraining", "shortcut")
METRICS = {"auroc": "explore.auroc", "lrp.epsilon:relevance_mass": "explore.mass_study"}
# Of networks that were trained with a mark, tested on images whose mark means nothing.
MARKED_METRICS = {
    "auroc": "explore.auroc_loose",
    "lrp.epsilon:relevance_mass": "explore.mass_study",
    "lrp.epsilon:shortcut_share": "explore.mark_study",
}


def changed(
    service: NetworkService,
    question: Question,
    case: Case,
    answer: Answer,
    previous: object,
    words: Words,
) -> str:
    """Says what a change did to this image.

    Args:
        service: The `NetworkService`.
        question: The `Question` after the change.
        case: The `Case`.
        answer: The `Answer` after the change, of a `Cell`.
        previous: The id of the cell before the change, or None.
        words: The texts.

    Returns:
        A sentence, plain text.
    """
    assert isinstance(answer.cell, Cell)
    before = compared_with(service, answer.cell, previous)
    if before is None:
        return words(
            "explore.stands",
            what=cell_title(answer.cell, words),
            chance=probability_text(answer.probability),
        )
    other = service.answer(case, before, question.method, **method_options(question))
    text = words(
        "explore.changed",
        what=difference(before, answer.cell, words),
        name=class_name(question.dataset, 1, words),
        before=probability_text(other.probability),
        after=probability_text(answer.probability),
    )
    if "mass" in other.quality and "mass" in answer.quality:
        text += words(
            "explore.changed_mass",
            before=percent(other.quality["mass"]),
            after=percent(answer.quality["mass"]),
        )
    return text + "."


def over_seeds(
    service: NetworkService, question: Question, previous: object, words: Words
) -> list[dict[str, str]]:
    """Says what the shipped study supports about a change, never more.

    Args:
        service: The `NetworkService`.
        question: The `Question` after the change.
        previous: The id of the cell before the change, or None.
        words: The texts.

    Returns:
        A list of dicts with a `text` and its `verdict`; the verdict is one of
        `medattn.study.compare`'s, or `"cannot tell"` where there is nothing to compare.
    """
    cell = service.cell_of(question)
    before = compared_with(service, cell, previous)
    if before is None:
        return []
    found = []
    metrics = METRICS if cell.shortcut is None else MARKED_METRICS
    for metric, key in metrics.items():
        comparison = _compared(cell, before, metric)
        if comparison is not None:
            text = seeds_sentence(comparison, words(key), words)
            found.append({"text": text, "verdict": comparison.verdict})
    if not found:
        found = [{"text": words("explore.no_study"), "verdict": "cannot tell"}]
    return found


def seeds_sentence(comparison: "Comparison", measure: str, words: Words) -> str:
    """Puts a `Comparison` into words, in points.

    Args:
        comparison: Of `medattn.study.compare_networks`.
        measure: What was measured, in words.
        words: The texts.
    """
    text = words(
        "explore.seeds_differ",
        seeds=comparison.seeds,
        measure=measure,
        mean=_points(comparison.mean),
        low=_points(comparison.low),
        high=_points(comparison.high),
    )
    if comparison.verdict != "cannot tell":
        return text + words(f"explore.verdict_{comparison.verdict.split()[0]}")
    text += words("explore.cannot_tell")
    if comparison.needed is None:
        return text + words("explore.needed_many")
    return text + words("explore.needed", seeds=comparison.needed)


def compared_with(service: NetworkService, cell: Cell, previous: object) -> Cell | None:
    """Finds what a cell is compared with: the one before, or its plainest counterpart.

    The counterpart of a pretrained network is the one from random weights; that of one
    trained with a mark is its control, on whose images the mark meant nothing.

    Args:
        service: The `NetworkService`.
        cell: The `Cell` on the page.
        previous: The id of the cell before, or None.

    Returns:
        A `Cell`, or None if there is none to compare with.
    """
    candidates = {
        cell_id(c): c
        for c in service.networks(cell.dataset, plain=False)
        if c.seed == cell.seed and c != cell
    }
    if isinstance(previous, str) and previous in candidates:
        return candidates[previous]
    if not cell.is_plain:
        name = f"{cell.backbone}|{cell.attention}|{cell.regime:g}"
        for counterpart in (f"{name}|{cell.initialisation}|0", name):
            if cell.shortcut != 0 or counterpart == name:
                if counterpart in candidates:
                    return candidates[counterpart]
    trunk = "ResNet" if cell.backbone == "DeiT" else cell.backbone
    for backbone, block, regime in (
        (trunk, "none", cell.regime),
        (cell.backbone, cell.attention, max(REGIMES)),
        (trunk, "CBAM", cell.regime),
    ):
        name = f"{backbone}|{block}|{regime:g}"
        if name in candidates:
            return candidates[name]
    return None


def difference(before: Cell, after: Cell, words: Words) -> str:
    """Says in what two cells differ, such as `"CBAM instead of none"`."""
    parts = []
    if before.backbone != after.backbone:
        parts.append((after.backbone, before.backbone))
    if before.attention != after.attention and SELF_ATTENTION not in (
        before.attention,
        after.attention,
    ):
        parts.append((_block(after.attention, words), _block(before.attention, words)))
    if before.regime != after.regime:
        parts.append((REGIMES[after.regime], REGIMES[before.regime]))
    if before.initialisation != after.initialisation:
        new, old = (words(f"explore.from_{c.initialisation}") for c in (after, before))
        parts.append((new, old))
    if before.shortcut != after.shortcut:
        parts.append((_shortcut(after, words), _shortcut(before, words)))
    return ", ".join(words("explore.instead", new=n, old=o) for n, o in parts)


@lru_cache(maxsize=512)
def _compared(cell: Cell, before: Cell, metric: str) -> "Comparison | None":
    """Compares two cells over the seeds of a study that has both; None if none has."""
    from medattn.study import compare_networks

    sides = [
        {key: value for key, value in c.zoo_options.items() if key != "seed"}
        | {"model": c.model_name}
        for c in (cell, before)
    ]
    for rows in _rows().values():
        comparison = compare_networks(rows, *sides, metric=metric)
        if comparison is not None:
            return comparison
    return None


@lru_cache(maxsize=1)
def _rows() -> dict[str, list[dict[str, Any]]]:
    """Reads the results of each study."""
    from medattn.study import read_results

    try:
        rows = read_results()
    except ValueError:  # none is shipped
        rows = []
    return {name: [r for r in rows if r["study"] == name] for name in STUDIES}


def _block(attention: str, words: Words) -> str:
    return words("explore.no_block") if attention == "none" else attention


def _shortcut(cell: Cell, words: Words) -> str:
    """Names the shortcut so that it stands alone in a sentence."""
    if cell.shortcut is None:
        return words("explore.no_mark")
    return words("explore.taught", rho=f"{cell.shortcut:g}")


def _points(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")
