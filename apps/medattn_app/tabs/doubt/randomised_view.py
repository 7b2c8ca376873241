"""Randomised weights as HTML: maps, their similarity, and what it says of methods."""

from collections.abc import Sequence
from html import escape

import numpy as np

from medattn.figures import grey
from medattn_app.domain.cases import Case
from medattn_app.domain.labels import library_sentence, probability_text
from medattn_app.domain.texts import Words
from medattn_app.service.experiments import RANDOMISATION_STAGES, Randomised
from medattn_app.tabs.common.descriptions import describe_quarter
from medattn_app.tabs.common.overlays import Picture, map_layer, pile
from medattn_app.tabs.common.plots import Line, line_chart


def randomised_html(case: Case, found: Sequence[Randomised], words: Words) -> str:
    """Writes the maps of several methods while the weights are randomised.

    Args:
        case: The image.
        found: The experiment of each method.
        words: Of the page.

    Returns:
        HTML, everything from outside escaped.
    """
    shown = [one for one in found if one.refused is None]
    refused = "".join(
        f'<p class="ma-note">{escape(_refusal(one, words))}</p>'
        for one in found
        if one.refused is not None
    )
    if not shown:
        return f'<p class="ma-say">{words("doubt.randomise.none")}</p>{refused}'
    sentence = _sentence(shown, words)
    return (
        f'<p class="ma-say" data-testid="randomised">{escape(sentence)}</p>{refused}'
        f'<div class="ma-wide">{_table(case, shown, words)}</div>'
        f'<p class="ma-note">{words("doubt.randomise.caption")}</p>'
        f"{_chart(shown, sentence, words)}"
    )


def _table(case: Case, shown: Sequence[Randomised], words: Words) -> str:
    depths = shown[0].depths
    heads = [(words("doubt.randomise.intact"), "")]
    for stage, name in enumerate(depths[1:], 1):
        fraction = f"{stage / (len(depths) - 1):.0%}"
        heads.append((fraction, words("doubt.randomise.step", layer=name)))
    top = "".join(
        f"<th scope='col'><b>{escape(fraction)}</b><small>"
        f"{escape(depth).replace('_', '_<wbr>')}</small></th>"
        for fraction, depth in heads
    )
    answers = "".join(
        f"<td>{escape(probability_text(p))}</td>" for p in shown[0].probabilities
    )
    ground = grey(case.pixels)
    rows = "".join(_row(one, ground, words) for one in shown)
    return (
        f'<table class="ma-maps"><thead><tr><td></td>{top}</tr>'
        f"<tr><th scope='row'>{words('doubt.randomise.answer')}</th>{answers}</tr>"
        f"</thead><tbody>{rows}</tbody></table>"
    )


def _row(one: Randomised, ground: Picture, words: Words) -> str:
    assert one.maps is not None
    title = words(f"method.{one.method}")
    cells = ""
    for stage, (relevance, rho) in enumerate(zip(one.maps, one.spearman, strict=True)):
        alt = words(
            "doubt.randomise.alt",
            method=title,
            step=stage,
            parts=RANDOMISATION_STAGES,
            where=describe_quarter(relevance, words),
        )
        picture = pile(ground, map_layer(relevance), alt=alt)
        cells += f"<td>{picture}ρ {_correlation(rho)}</td>"
    return f"<tr><th scope='row'>{escape(title)}</th>{cells}</tr>"


def _chart(shown: Sequence[Randomised], sentence: str, words: Words) -> str:
    last = len(shown[0].depths) - 1
    lowest = float(np.nanmin(np.concatenate([one.spearman for one in shown])))
    lines = [
        Line(words(f"method.{one.method}"), list(enumerate(one.spearman)), look)
        for look, one in enumerate(shown)
    ]
    return line_chart(
        lines,
        x=(0, last),
        y=(min(0, np.floor(10 * lowest) / 10), 1),
        x_label=words("doubt.randomise.x"),
        y_label=words("doubt.randomise.y"),
        ticks=[(stage, f"{stage / last:.0%}") for stage in range(last + 1)],
        alt=sentence,
    )


def _sentence(shown: Sequence[Randomised], words: Words) -> str:
    last = {words(f"method.{one.method}"): one.spearman[-1] for one in shown}
    known = {title: rho for title, rho in last.items() if np.isfinite(rho)}
    if len(known) < 2:
        (title, rho), *_ = known.items() or last.items()
        return words("doubt.randomise.one", method=title, last=_correlation(rho))
    most = min(known, key=lambda title: known[title])
    least = max(known, key=lambda title: known[title])
    return words(
        "doubt.randomise.many",
        most=most,
        low=_correlation(known[most]),
        least=least,
        high=_correlation(known[least]),
    )


def _refusal(one: Randomised, words: Words) -> str:
    method = words(f"method.{one.method}")
    reason = library_sentence(one.refused, words)
    return words("doubt.refused", method=method, reason=reason)


def _correlation(rho: float) -> str:
    if not np.isfinite(rho):
        return "–"
    return f"{rho:.2f}".replace("-", "−").replace("0.", ".", 1)
