"""The sentence: what changed for this image, and what the study's seeds bear."""

from functools import lru_cache

from medattn_app.domain.state import REGIMES
from medattn_app.service.labels import cell_title, class_name
from medattn_app.tabs.explore import view

# The shipped studies, in the order in which they are asked; seeds are paired in one.
STUDIES = ("micro", "pretraining", "shortcut")
METRICS = {"auroc": "explore.auroc", "lrp.epsilon:relevance_mass": "explore.mass_study"}
# Of networks that were trained with a mark, tested on images whose mark means nothing.
MARKED_METRICS = {
    "auroc": "explore.auroc_loose",
    "lrp.epsilon:relevance_mass": "explore.mass_study",
    "lrp.epsilon:shortcut_share": "explore.mark_study",
}


def changed(answers, question, case, own, previous):
    """Says what a change did to this image.

    Args:
        answers: The page's `Answers`.
        question: The `Question` after the change.
        case: The `Case`.
        own: The `Answer` after it.
        previous: The id of the cell before it, or None.

    Returns:
        A sentence, plain text.
    """
    from medattn_app.tabs.explore.calls import method_options

    words = answers.words(question)
    before = compared_with(answers.bench, own.cell, previous)
    if before is None:
        return words(
            "explore.stands",
            what=cell_title(own.cell, words),
            chance=view.chance_text(own.chance),
        )
    other = answers.bench.answer(
        case, before, question.method, **method_options(question)
    )
    text = words(
        "explore.changed",
        what=difference(before, own.cell, words),
        name=class_name(question.dataset, 1, words),
        before=view.chance_text(other.chance),
        after=view.chance_text(own.chance),
    )
    if "mass" in other.quality and "mass" in own.quality:
        text += words(
            "explore.changed_mass",
            before=view.percent(other.quality["mass"]),
            after=view.percent(own.quality["mass"]),
        )
    return text + "."


def over_seeds(answers, question, previous):
    """Says what the shipped study bears about a change, never more.

    Args:
        answers: The page's `Answers`.
        question: The `Question` after the change.
        previous: The id of the cell before it, or None.

    Returns:
        A list of dicts with a `text` and its `verdict`; the verdict is one of
        `medattn.study.compare`'s, or `"cannot tell"` where there is nothing to compare.
    """
    words = answers.words(question)
    cell = answers.cell(question)
    before = compared_with(answers.bench, cell, previous)
    if before is None:
        return []
    found = []
    metrics = METRICS if cell.shortcut is None else MARKED_METRICS
    for metric, key in metrics.items():
        one = _compared(cell, before, metric)
        if one is not None:
            found.append(
                {"text": seeds_sentence(one, words(key), words), "verdict": one.verdict}
            )
    if not found:
        found = [{"text": words("explore.no_study"), "verdict": "cannot tell"}]
    return found


def seeds_sentence(one, measure, words):
    """Puts a `Comparison` into words, in points.

    Args:
        one: A `medattn.study` comparison.
        measure: What was measured, in words.
        words: The texts.
    """
    text = words(
        "explore.seeds_differ",
        seeds=one.seeds,
        measure=measure,
        mean=_points(one.mean),
        low=_points(one.low),
        high=_points(one.high),
    )
    if one.verdict != "cannot tell":
        return text + words(f"explore.verdict_{one.verdict.split()[0]}")
    text += words("explore.cannot_tell")
    if one.needed is None:
        return text + words("explore.needed_many")
    return text + words("explore.needed", seeds=one.needed)


def compared_with(bench, cell, previous):
    """Finds what a cell is compared with: the one before, or its plainest counterpart.

    The counterpart of a pretrained network is the one from random weights; that of one
    taught with a mark is its control, on whose images the mark meant nothing.

    Args:
        bench: The `Bench`.
        cell: The `Cell` on the page.
        previous: The id of the cell before, or None.

    Returns:
        A `Cell`, or None if there is none to compare with.
    """
    candidates = {
        view.cell_id(c): c
        for c in bench.networks(cell.dataset, plain=False)
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
    most = max(REGIMES)
    for backbone, block, regime in (
        (trunk, "none", cell.regime),
        (cell.backbone, cell.attention, most),
        (trunk, "CBAM", cell.regime),
    ):
        name = f"{backbone}|{block}|{regime:g}"
        if name in candidates:
            return candidates[name]
    return None


def difference(before, after, words):
    """Says in what two cells differ, such as `"CBAM instead of none"`."""
    parts = []
    if before.backbone != after.backbone:
        parts.append((after.backbone, before.backbone))
    if before.attention != after.attention and "self" not in (
        before.attention,
        after.attention,
    ):
        parts.append(tuple(_block(c.attention, words) for c in (after, before)))
    if before.regime != after.regime:
        parts.append((REGIMES[after.regime], REGIMES[before.regime]))
    if before.initialisation != after.initialisation:
        parts.append(
            tuple(words(f"explore.from_{c.initialisation}") for c in (after, before))
        )
    if before.shortcut != after.shortcut:
        parts.append(tuple(_shortcut(c, words) for c in (after, before)))
    return ", ".join(words("explore.instead", new=n, old=o) for n, o in parts)


@lru_cache(maxsize=512)
def _compared(cell, before, metric):
    """Compares two cells over the seeds of a study that has both; None if none has."""
    from medattn.study import compare_networks

    sides = [
        {key: value for key, value in c.which.items() if key != "seed"}
        | {"model": c.model_name}
        for c in (cell, before)
    ]
    for rows in _rows().values():
        one = compare_networks(rows, *sides, metric=metric)
        if one is not None:
            return one
    return None


@lru_cache(maxsize=1)
def _rows():
    """Reads the results of each study."""
    from medattn.study import read_results

    try:
        rows = read_results()
    except ValueError:  # none is shipped
        rows = []
    return {name: [r for r in rows if r["study"] == name] for name in STUDIES}


def _block(attention, words):
    return words("explore.no_block") if attention == "none" else attention


def _shortcut(cell, words):
    """Names the shortcut so that it stands alone in a sentence."""
    if cell.shortcut is None:
        return words("explore.no_mark")
    return words("explore.taught", rho=f"{cell.shortcut:g}")


def _points(value):
    return f"{100 * value:+.1f}".replace("-", "−")
