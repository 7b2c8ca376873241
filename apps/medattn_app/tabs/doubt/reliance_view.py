"""Reliance on a shortcut as HTML: test sets whose mark goes with a class or not."""

from collections.abc import Sequence
from html import escape

import numpy as np

from medattn_app.domain.labels import cell_title
from medattn_app.domain.texts import Words
from medattn_app.service.shortcut_reliance import (
    MAX_EXPLAINED_IMAGES,
    MAX_TEST_IMAGES,
    ShortcutReliance,
)
from medattn_app.tabs.common.plots import Line, line_chart
from medattn_app.tabs.doubt.planted_view import percent_or_dash


def reliance_html(found: Sequence[ShortcutReliance], words: Words) -> str:
    """Writes how networks score where the mark goes with the class, or against it.

    Args:
        found: The measurement of each network, all of one data set.
        words: Of the page.
    """
    sentence = _sentence(found, words)
    note = words(
        "doubt.reliance.note",
        images=MAX_TEST_IMAGES,
        maps=MAX_EXPLAINED_IMAGES,
        mark=f"{found[0].mark_area:.1%}",
        evidence=f"{found[0].evidence_area:.1%}",
    )
    return (
        f'<p class="ma-say" data-testid="reliance">{escape(sentence)}</p>'
        f"{_chart(found, sentence, words)}"
        f'<div class="ma-wide">{_table(found, words)}</div>'
        f'<p class="ma-note">{escape(note)}</p>'
    )


def _chart(found: Sequence[ShortcutReliance], sentence: str, words: Words) -> str:
    lines = [
        Line(
            cell_title(one.cell, words),
            list(zip(one.strengths, one.auroc, strict=True)),
            look,
        )
        for look, one in enumerate(found)
    ]
    strengths = sorted({rho for one in found for rho in one.strengths})
    lowest = min(min(one.auroc) for one in found)
    largest = max(strengths)
    return line_chart(
        lines,
        x=(-largest, largest),
        y=(np.floor(10 * min(lowest, 0.9)) / 10, 1),
        x_label=words("doubt.reliance.x"),
        y_label="AUROC",
        ticks=[(rho, _signed(rho)) for rho in strengths],
        alt=sentence,
    )


def _table(found: Sequence[ShortcutReliance], words: Words) -> str:
    heads = [words("doubt.reliance.network")]
    for rho in found[0].strengths:
        heads.append(words("doubt.reliance.auroc", rho=_signed(rho)))
    heads += [words("doubt.reliance.mark"), words("doubt.reliance.evidence")]
    top = "".join(f"<th scope='col'>{escape(head)}</th>" for head in heads)
    rows = "".join(
        f"<tr><th scope='row'><span>{escape(cell_title(one.cell, words))}</span></th>"
        + "".join(
            f"<td>{area:.2f} [{low:.2f}, {high:.2f}]</td>"
            for area, low, high in zip(one.auroc, one.low, one.high, strict=True)
        )
        + f"<td>{_three(one.on_mark)}</td><td>{_three(one.in_evidence)}</td></tr>"
        for one in found
    )
    return (
        f'<table class="ma-table"><thead><tr>{top}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _sentence(found: Sequence[ShortcutReliance], words: Words) -> str:
    """Says which network lost most as the mark turned, if beyond noise."""
    trained = [one for one in found if one.cell.shortcut]
    worst = min(trained, key=lambda one: one.auroc[-1] - one.auroc[0])
    control = next(
        (
            one
            for one in found
            if one.cell.shortcut == 0 and one.cell.attention == worst.cell.attention
        ),
        None,
    )
    # It relies on the mark if the intervals of both ends leave a gap: a high bar, on
    # one test set.
    relies = worst.high[-1] < worst.low[0]
    said = words(
        "doubt.reliance.say" if relies else "doubt.reliance.still",
        network=cell_title(worst.cell, words),
        first=f"{worst.auroc[0]:.2f}",
        last=f"{worst.auroc[-1]:.2f}",
        mark=percent_or_dash(worst.on_mark[1]),
        evidence=percent_or_dash(worst.in_evidence[1]),
    )
    if control is not None:
        said += " " + words(
            "doubt.reliance.control",
            first=f"{control.auroc[0]:.2f}",
            last=f"{control.auroc[-1]:.2f}",
            mark=percent_or_dash(control.on_mark[1]),
        )
    return f"{said} {words('doubt.reliance.one')}"


def _three(fractions: Sequence[float]) -> str:
    """Writes the fractions on the three test sets."""
    return " / ".join(percent_or_dash(fraction) for fraction in fractions)


def _signed(rho: float) -> str:
    return f"{rho:g}".replace("-", "−")
