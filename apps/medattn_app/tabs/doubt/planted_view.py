"""A planted mark as HTML: what each network answers without the mark and with it."""

from collections.abc import Sequence
from html import escape

import numpy as np

from medattn.figures import colour_scale, grey
from medattn_app.domain.cases import Case
from medattn_app.domain.cells import Cell
from medattn_app.domain.labels import (
    case_name,
    cell_title,
    class_name,
    probability_text,
)
from medattn_app.domain.texts import Words
from medattn_app.service.experiments import Planted
from medattn_app.tabs.common.colours import MARK
from medattn_app.tabs.common.descriptions import describe_quarter, signed_number
from medattn_app.tabs.common.overlays import (
    Layer,
    evidence_layers,
    map_layer,
    outline_layer,
    pile,
    png_uri,
)

MOVED = 0.05  # a change of probability that is worth a name
Pair = tuple[tuple[np.ndarray, np.ndarray], np.ndarray]


def planted_html(
    case: Case,
    planted: Sequence[Planted],
    pair: Pair,
    words: Words,
    chosen: Cell | None = None,
) -> str:
    """Writes an image without a mark and with it, and how each network's answer moves.

    Args:
        case: The image.
        planted: The experiment of each network.
        pair: The image without the mark and with it, large, and where the mark lies,
            as the networks see it.
        words: Of the page.
        chosen: The network on the page; the maps of the networks with its attention
            that were trained with marks are drawn large.
    """
    _, artefact = pair
    pictures = _pictures(case, planted, pair, words, chosen)
    kind = "ma-four" if len(pictures) > 2 else "ma-two"
    row = "".join(
        f"<figure>{picture}<figcaption>{escape(text)}</figcaption></figure>"
        for text, picture in pictures
    )
    area = float(artefact.mean())
    sentence = _sentence(case, planted, area, words)
    return (
        f'<div class="ma-row {kind}">{row}</div>'
        f'<p class="ma-say" data-testid="planted">{escape(sentence)}</p>'
        f'<div class="ma-wide">{_table(case, planted, pair, words)}</div>'
        f'<p class="ma-note">{words("doubt.plant.area")}: {area:.1%}</p>'
    )


def percent_or_dash(fraction: float, form: str = ".1%") -> str:
    """Writes a fraction in percent, a dash where nothing is known."""
    return "–" if not np.isfinite(fraction) else format(fraction, form)


def _pictures(
    case: Case,
    planted: Sequence[Planted],
    pair: Pair,
    words: Words,
    chosen: Cell | None,
) -> list[tuple[str, str]]:
    """Writes the large pictures, as pairs of caption and picture."""
    (plain, marked), artefact = pair
    mark, name = outline_layer(artefact, "mark", MARK), case_name(case, words)
    scale = _scale(planted)
    after = words("doubt.plant.after")
    pictures = [
        (words("doubt.plant.before"), pile(plain, alt=name)),
        (after, pile(marked, mark, alt=f"{name}, {after}")),
    ]
    for one in _trained_with_marks(planted, chosen):
        caption = words(
            "doubt.plant.map",
            rho=f"{one.cell.shortcut:g}",
            mark=f"{one.on_artefact:.1%}",
            evidence=percent_or_dash(one.in_evidence),
        )
        layers = [map_layer(one.relevance, scale), mark, *evidence_layers(case)]
        picture = pile(grey(marked), *layers, alt=_alt(one, words))
        pictures.append((caption, picture))
    return pictures


def _table(case: Case, planted: Sequence[Planted], pair: Pair, words: Words) -> str:
    (_, marked), artefact = pair
    heads = ["network", "without", "with", "change", "on_mark"]
    if case.has_evidence:
        heads += ["evidence", "found"]
    top = "".join(f"<th scope='col'>{words(f'doubt.plant.{h}')}</th>" for h in heads)
    ground, scale = png_uri(grey(marked)[::4, ::4]), _scale(planted)
    mark = outline_layer(artefact, "mark", MARK)
    rows = ""
    for one in planted:
        layers: list[Layer] = [map_layer(one.relevance, scale), mark]
        picture = pile(ground, *layers, alt=_alt(one, words), kind="ma-thumb")
        numbers = [
            escape(probability_text(one.before)),
            escape(probability_text(one.after)),
            signed_number(one.after - one.before),
            f"{one.on_artefact:.1%}",
        ]
        if case.has_evidence:
            numbers.append(percent_or_dash(one.in_evidence))
            numbers.append(percent_or_dash(one.shortcut_share, ".0%"))
        rows += (
            f"<tr><th scope='row'>{picture}"
            f"<span>{escape(cell_title(one.cell, words))}</span></th>"
            + "".join(f"<td>{number}</td>" for number in numbers)
            + "</tr>"
        )
    return (
        f'<table class="ma-table"><thead><tr>{top}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _sentence(case: Case, planted: Sequence[Planted], area: float, words: Words) -> str:
    """Says whose answer moved most, if any moved by an amount worth a name."""
    largest = max(planted, key=lambda one: abs(one.after - one.before))
    moved = abs(largest.after - largest.before)
    marked = any(one.cell.shortcut is not None for one in planted)
    return words(
        "doubt.plant.say" if moved >= MOVED else "doubt.plant.still",
        points=f"{100 * moved:.1f}",
        network=cell_title(largest.cell, words),
        positive=class_name(case.dataset, 1, words),
        before=probability_text(largest.before),
        after=probability_text(largest.after),
        fraction=f"{largest.on_artefact:.1%}",
        area=f"{area:.1%}",
        trained=words("doubt.plant.marked" if marked else "doubt.plant.unmarked"),
    )


def _trained_with_marks(
    planted: Sequence[Planted], chosen: Cell | None
) -> list[Planted]:
    """Picks the networks of the chosen attention that were trained with marks."""
    if chosen is None:
        return []
    found = [
        (one.cell.shortcut, one)
        for one in planted
        if one.cell.attention == chosen.attention and one.cell.shortcut is not None
    ]
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def _scale(planted: Sequence[Planted]) -> float:
    return colour_scale(*(one.relevance for one in planted))


def _alt(one: Planted, words: Words) -> str:
    return f"{cell_title(one.cell, words)}: {describe_quarter(one.relevance, words)}"
