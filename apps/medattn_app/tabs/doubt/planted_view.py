"""A planted mark in HTML: who moves, who was taught to, and what test sets say."""

from html import escape

import numpy as np

from medattn.figures import colour_scale
from medattn_app.domain.labels import (
    case_name,
    cell_title,
    class_name,
    probability_text,
)
from medattn_app.service.shortcut_reliance import MAX_EXPLAINED_IMAGES, MAX_TEST_IMAGES
from medattn_app.tabs.common.overlays import (
    map_layer,
    number_signed,
    outline_layer,
    pale,
    pile,
    uri,
    where,
)
from medattn_app.tabs.common.plots import Line, line_chart

MOVED = 0.05  # a change of probability that is worth a name
MARK = (64, 224, 170)  # a green that is seen on black; the evidence is yellow


def planted_html(case, planted, pair, words, chosen=None):
    """Draws an image without a mark and with it, and who moved.

    Args:
        case: The image.
        planted: A list of `experiments.Planted`, one a network.
        pair: The image without the mark and with it, large, and where the mark lies,
            as the networks see it.
        words: Of the page.
        chosen: The `Cell` on the page; the maps of its control and of itself taught
            are drawn large.
    """
    (plain, marked), artefact = pair
    outline = outline_layer(artefact, "mark", MARK)
    outlines = [outline]
    if case.has_evidence:
        outlines.append(outline_layer(case.evidence))
    positive, name = class_name(case.dataset, 1, words), case_name(case, words)
    scale = colour_scale(*(one.relevance for one in planted))
    ground = pale(marked)
    figures = [
        (words("doubt.plant.before"), pile(plain, alt=name)),
        (
            words("doubt.plant.after"),
            pile(marked, outline, alt=f"{name}, {words('doubt.plant.after')}"),
        ),
    ]
    for one in _control_and_taught(planted, chosen):
        said = words(
            "doubt.plant.map",
            rho=f"{one.cell.shortcut:g}",
            mark=f"{one.on_artefact:.1%}",
            evidence=_share(one.in_evidence, ".1%"),
        )
        figures.append(
            (
                said,
                pile(
                    ground,
                    map_layer(one.relevance, scale),
                    *outlines,
                    alt=f"{cell_title(one.cell, words)}: {where(one.relevance, words)}",
                ),
            )
        )
    row = "".join(
        f"<figure>{picture}<figcaption>{escape(text)}</figcaption></figure>"
        for text, picture in figures
    )
    area = float(artefact.mean())
    heads = ["network", "without", "with", "change", "share"]
    if case.has_evidence:
        heads += ["evidence", "found"]
    top = "".join(f"<th scope='col'>{words(f'doubt.plant.{h}')}</th>" for h in heads)
    thumb = uri(ground[::4, ::4])
    body = "".join(
        "<tr><th scope='row'>"
        + pile(
            thumb,
            map_layer(one.relevance, scale),
            outline,
            alt=f"{cell_title(one.cell, words)}: {where(one.relevance, words)}",
            kind="ma-thumb",
        )
        + f"<span>{escape(cell_title(one.cell, words))}</span></th>"
        f"<td>{escape(probability_text(one.before))}</td>"
        f"<td>{escape(probability_text(one.after))}</td>"
        f"<td>{number_signed(one.after - one.before)}</td>"
        f"<td>{one.on_artefact:.1%}</td>"
        + (
            f"<td>{_share(one.in_evidence, '.1%')}</td>"
            f"<td>{_share(one.shortcut_share)}</td>"
            if case.has_evidence
            else ""
        )
        + "</tr>"
        for one in planted
    )
    most = max(planted, key=lambda one: abs(one.after - one.before))
    moved = abs(most.after - most.before)
    taught = any(one.cell.shortcut is not None for one in planted)
    say = words(
        "doubt.plant.say" if moved >= MOVED else "doubt.plant.still",
        points=f"{100 * moved:.1f}",
        network=cell_title(most.cell, words),
        positive=positive,
        before=probability_text(most.before),
        after=probability_text(most.after),
        share=f"{most.on_artefact:.1%}",
        area=f"{area:.1%}",
        trained=words("doubt.plant.taught" if taught else "doubt.plant.untaught"),
    )
    kind = "ma-four" if len(figures) > 2 else "ma-two"
    return (
        f'<div class="ma-row {kind}">{row}</div>'
        f'<p class="ma-say" data-testid="planted">{escape(say)}</p>'
        f'<div class="ma-wide"><table class="ma-table"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
        f'<p class="ma-note">{words("doubt.plant.area")}: {area:.1%}</p>'
    )


def fallen_html(fallen, words):
    """Draws how networks fare where the mark goes with the class, or against it.

    Args:
        fallen: A list of `ShortcutReliance`, one a network, all of one data set.
        words: Of the page.
    """
    lines = [
        Line(
            cell_title(one.cell, words),
            list(zip(one.strengths, one.auroc, strict=True)),
            look,
        )
        for look, one in enumerate(fallen)
    ]
    strengths = sorted({rho for one in fallen for rho in one.strengths})
    low = min(min(one.auroc) for one in fallen)
    say = _fallen_sentence(fallen, words)
    reach = max(strengths)
    chart = line_chart(
        lines,
        x=(-reach, reach),
        y=(np.floor(10 * min(low, 0.9)) / 10, 1),
        x_label=words("doubt.reliance.x"),
        y_label="AUROC",
        ticks=[(rho, _signed(rho)) for rho in strengths],
        alt=say,
    )
    names = [_signed(rho) for rho in fallen[0].strengths]
    heads = [words("doubt.reliance.network")]
    heads += [words("doubt.reliance.auroc", rho=name) for name in names]
    heads += [words("doubt.reliance.mark"), words("doubt.reliance.evidence")]
    top = "".join(f"<th scope='col'>{escape(head)}</th>" for head in heads)
    body = "".join(
        f"<tr><th scope='row'><span>{escape(cell_title(one.cell, words))}</span></th>"
        + "".join(
            f"<td>{area:.2f} [{low:.2f}, {high:.2f}]</td>"
            for area, low, high in zip(one.auroc, one.low, one.high, strict=True)
        )
        + f"<td>{_three(one.on_mark)}</td><td>{_three(one.in_evidence)}</td></tr>"
        for one in fallen
    )
    note = words(
        "doubt.reliance.note",
        images=MAX_TEST_IMAGES,
        maps=MAX_EXPLAINED_IMAGES,
        mark=f"{fallen[0].mark_area:.1%}",
        evidence=f"{fallen[0].evidence_area:.1%}",
    )
    return (
        f'<p class="ma-say" data-testid="fallen">{escape(say)}</p>{chart}'
        f'<div class="ma-wide"><table class="ma-table"><thead><tr>{top}</tr></thead>'
        f'<tbody>{body}</tbody></table></div><p class="ma-note">{escape(note)}</p>'
    )


def _fallen_sentence(fallen, words):
    """Says who lost most from the mark's turning, if anybody did beyond noise."""
    taught = [one for one in fallen if one.cell.shortcut]
    most = min(taught, key=lambda one: one.auroc[-1] - one.auroc[0])
    control = next(
        (
            one
            for one in fallen
            if one.cell.shortcut == 0 and one.cell.attention == most.cell.attention
        ),
        None,
    )
    # It fell if the intervals of both ends leave a gap: a wide bar, on one test set.
    fell = most.high[-1] < most.low[0]
    said = words(
        "doubt.reliance.say" if fell else "doubt.reliance.still",
        network=cell_title(most.cell, words),
        first=f"{most.auroc[0]:.2f}",
        last=f"{most.auroc[-1]:.2f}",
        mark=_share(most.on_mark[1], ".1%"),
        evidence=_share(most.in_evidence[1], ".1%"),
    )
    if control is not None:
        said += " " + words(
            "doubt.reliance.control",
            first=f"{control.auroc[0]:.2f}",
            last=f"{control.auroc[-1]:.2f}",
            mark=_share(control.on_mark[1], ".1%"),
        )
    return f"{said} {words('doubt.reliance.one')}"


def _control_and_taught(planted, chosen):
    """Picks the networks of the chosen block that learnt with a mark."""
    if chosen is None:
        return []
    mine = [p for p in planted if p.cell.attention == chosen.attention]
    taught = [p for p in mine if p.cell.shortcut is not None]
    return sorted(taught, key=lambda p: p.cell.shortcut)


def _three(shares):
    """Writes the shares on the three test sets."""
    return " / ".join(_share(share, ".1%") for share in shares)


def _signed(rho):
    return f"{rho:g}".replace("-", "−")


def _share(value, form=".0%"):
    return "–" if not np.isfinite(value) else format(value, form)
