"""Experiments in, HTML out: pictures, a chart, and the sentence that they bear."""

from html import escape

import numpy as np

from medattn_app.domain.labels import (
    audit_text,
    case_name,
    class_name,
    library_sentence,
    probability_text,
)
from medattn_app.service.experiments import RANDOMISATION_STAGES
from medattn_app.tabs.common.overlays import (
    evidence_layer,
    map_layer,
    number_signed,
    pale,
    pale_photo,
    photo,
    pile,
    uri,
    where,
)
from medattn_app.tabs.common.plots import LEFT, RIGHT, WIDTH, Line, line_chart


def randomised_html(case, broken, words):
    """Draws the maps of several methods while the weights are shuffled.

    Args:
        case: The image.
        broken: A list of `experiments.Randomised`, one a method.
        words: Of the page.

    Returns:
        HTML, everything from outside escaped.
    """
    shown = [one for one in broken if one.refused is None]
    refused = "".join(
        f'<p class="ma-note">{escape(_refusal(one, words))}</p>'
        for one in broken
        if one.refused is not None
    )
    if not shown:
        return f'<p class="ma-say">{words("doubt.randomise.none")}</p>{refused}'
    depths = shown[0].depths
    heads = [(words("doubt.randomise.intact"), "")]
    for step, name in enumerate(depths[1:], 1):
        share = f"{step / (len(depths) - 1):.0%}"
        heads.append((share, words("doubt.randomise.step", layer=name)))
    top = "".join(
        f"<th scope='col'><b>{escape(share)}</b><small>"
        f"{escape(depth).replace('_', '_<wbr>')}</small></th>"
        for share, depth in heads
    )
    answers = "".join(
        f"<td>{escape(probability_text(p))}</td>" for p in shown[0].probabilities
    )
    ground = pale(case.pixels)
    rows = "".join(_randomised_row(one, ground, words) for one in shown)
    lines = [
        Line(words(f"method.{one.method}"), list(enumerate(one.spearman)), look)
        for look, one in enumerate(shown)
    ]
    chart = line_chart(
        lines,
        x=(0, len(depths) - 1),
        y=(min(0, np.floor(10 * _least(shown)) / 10), 1),
        x_label=words("doubt.randomise.x"),
        y_label=words("doubt.randomise.y"),
        ticks=[(k, f"{k / (len(depths) - 1):.0%}") for k in range(len(depths))],
        alt=_randomised_sentence(shown, words),
    )
    return (
        f'<p class="ma-say" data-testid="randomised">'
        f"{escape(_randomised_sentence(shown, words))}</p>{refused}"
        f'<div class="ma-wide"><table class="ma-maps"><thead><tr><td></td>{top}</tr>'
        f"<tr><th scope='row'>{words('doubt.randomise.answer')}</th>{answers}</tr>"
        f"</thead><tbody>{rows}</tbody></table></div>"
        f'<p class="ma-note">{words("doubt.randomise.caption")}</p>{chart}'
    )


def _randomised_row(one, ground, words):
    title = words(f"method.{one.method}")
    cells = "".join(
        "<td>"
        + pile(
            ground,
            map_layer(relevance),
            alt=words(
                "doubt.randomise.alt",
                method=title,
                step=step,
                parts=RANDOMISATION_STAGES,
                where=where(relevance, words),
            ),
        )
        + f"ρ {_correlation(rho)}</td>"
        for step, (relevance, rho) in enumerate(
            zip(one.maps, one.spearman, strict=True)
        )
    )
    return f"<tr><th scope='row'>{escape(title)}</th>{cells}</tr>"


def _randomised_sentence(shown, words):
    last = {words(f"method.{one.method}"): one.spearman[-1] for one in shown}
    known = {title: rho for title, rho in last.items() if np.isfinite(rho)}
    if len(known) < 2:
        (title, rho), *_ = known.items() or last.items()
        return words("doubt.randomise.one", method=title, last=_correlation(rho))
    most, least = min(known, key=known.get), max(known, key=known.get)
    return words(
        "doubt.randomise.many",
        most=most,
        low=_correlation(known[most]),
        least=least,
        high=_correlation(known[least]),
    )


def _least(shown):
    values = np.concatenate([one.spearman for one in shown])
    return float(np.nanmin(values))


def _refusal(one, words):
    method = words(f"method.{one.method}")
    reason = library_sentence(one.refused, words)
    return words("doubt.refused", method=method, reason=reason)


def _correlation(rho):
    if not np.isfinite(rho):
        return "–"
    return f"{rho:.2f}".replace("-", "−").replace("0.", ".", 1)


def compared_html(case, one, greys, grey, words):
    """Draws DeepLIFT against one reference, and against every grey.

    Args:
        case: The image.
        one: A `experiments.Compared`.
        greys: What `experiments.greys` gave.
        grey: The grey chosen, or None.
        words: Of the page.
    """
    held, kept = one.audit, case.has_evidence
    outline = [evidence_layer(case)] if kept else []
    pictures = (
        ("doubt.reference.image", pile(photo(case), alt=case_name(case, words))),
        (
            "doubt.reference.picture",
            pile(one.picture, alt=words("doubt.reference.picture")),
        ),
        (
            "doubt.reference.map",
            pile(
                pale_photo(case),
                map_layer(one.relevance),
                *outline,
                alt=f"{words('doubt.reference.map')}: {where(one.relevance, words)}",
            ),
        ),
    )
    row = "".join(
        f"<figure>{picture}<figcaption>{words(key)}</figcaption></figure>"
        for key, picture in pictures
    )
    numbers = [
        ("sum", number_signed(held["relevance"])),
        ("error", f"{abs(held['error']):.0e}" if held["error"] else "0"),
    ]
    if one.mass is not None:
        numbers.append(("mass", f"{one.mass:.0%}"))
    tiles = "".join(
        f"<div><dt>{words(f'doubt.reference.{key}')}</dt>"
        f'<dd data-testid="reference-{key}">{text}</dd>'
        f'<dd class="ma-foot">{words(f"doubt.reference.{key}.note")}</dd></div>'
        for key, text in numbers
    )
    sums = [audit["relevance"] for _, audit in greys]
    gaps = [(g, audit["logit"] - audit["reference"]) for g, audit in greys]
    error = max(abs(audit["error"]) for _, audit in greys)
    say = words(
        "doubt.reference.say",
        low=number_signed(min(sums)),
        high=number_signed(max(sums)),
        error=f"{error:.0e}",
    )
    ends = min(0, min(sums)), max(0, max(sums))
    reach = 0.08 * (ends[1] - ends[0])
    chart = line_chart(
        [
            Line(words("doubt.reference.line.gap"), gaps, 1, marks=False),
            Line(
                words("doubt.reference.line.sum"),
                [(g, audit["relevance"]) for g, audit in greys],
                0,
            ),
        ],
        x=(0, 1),
        y=(ends[0] - reach, ends[1] + reach),
        x_label=words("doubt.reference.x"),
        y_label=words("doubt.reference.y"),
        at=grey,
        alt=say,
    )
    line = audit_text(one.audit, words)
    sure = "" if "fails" in one.audit_line else " ✓"
    return (
        f'<div class="ma-row">{row}</div>'
        f'<dl class="ma-tiles">{tiles}</dl>'
        f'<p class="ma-ledger" data-testid="reference-ledger">{escape(line)}{sure}</p>'
        f'{chart}<p class="ma-say">{escape(say)}</p>'
    )


def deleted_html(case, one, words):
    """Draws the curve of a deletion, and the picture at each of its steps.

    A slider steps through it in the browser, see `doubt.js`.

    Args:
        case: The image.
        one: A `experiments.Deleted`.
        words: Of the page.
    """
    positive = class_name(case.dataset, 1, words)
    orders = len(one.random_values)
    fractions = [float(f) for f in one.fractions]
    mean = one.random_values.mean(axis=0)
    lines = [
        Line(
            words("doubt.delete.chance", orders=orders),
            list(zip(fractions, mean, strict=True)),
            1,
            low=list(one.random_values.min(axis=0)),
            high=list(one.random_values.max(axis=0)),
            marks=False,
        ),
        Line(
            words("doubt.delete.map"), list(zip(fractions, one.values, strict=True)), 0
        ),
    ]
    say = _deleted_sentence(one, positive, words)
    chart = line_chart(
        lines,
        x=(0, 1),
        y=(0, 1),
        x_label=words("doubt.delete.x"),
        y_label=f"P({positive})",
        ticks=[(k / 4, f"{k / 4:.0%}") for k in range(5)],
        at=0,
        alt=say,
    )
    steps = "".join(
        f'<img src="{uri(picture)}" alt="" data-share="{share:.4f}" '
        f'data-chance="{escape(probability_text(chance))}"'
        f"{'' if step == 0 else ' hidden'}>"
        for step, (picture, share, chance) in enumerate(
            zip(one.pictures, fractions, one.values, strict=True)
        )
    )
    label, name = words("doubt.delete.slider"), case_name(case, words)
    return (
        '<div class="ma-delete" data-axis="'
        f'{WIDTH - LEFT - RIGHT}"><div class="ma-delete-picture">'
        f'<div class="ma-pile ma-steps" role="img" aria-label="{escape(name)}">'
        f"{steps}</div>"
        f'<div class="ma-slide"><span>{label} <output data-say="share">0%</output>'
        f'</span><input type="range" min="0" max="{len(fractions) - 1}" value="0" '
        f'data-tool="step" aria-label="{escape(label)}"></div>'
        f'<p class="ma-big"><span>{words("doubt.delete.now", positive=positive)}</span>'
        f'<output data-say="chance" data-testid="deleted-chance">'
        f"{escape(probability_text(one.values[0]))}</output></p></div>"
        f"<div>{chart}</div></div>"
        f'<p class="ma-say" data-testid="deleted">{escape(say)}</p>'
    )


def _deleted_sentence(one, positive, words):
    verdict = words(
        "doubt.delete.better"
        if one.area < one.random_area.min()
        else "doubt.delete.same"
    )
    if one.values[0] < 0.5:
        verdict = words("doubt.delete.healthy", positive=positive)
    return words(
        "doubt.delete.say",
        area=f"{one.area:.2f}",
        low=f"{one.random_area.min():.2f}",
        high=f"{one.random_area.max():.2f}",
        orders=len(one.random_values),
        verdict=verdict,
    )
