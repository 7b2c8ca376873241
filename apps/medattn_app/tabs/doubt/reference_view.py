"""DeepLIFT against references as HTML: the sum moves, its completeness does not."""

from collections.abc import Sequence
from html import escape

from medattn_app.domain.cases import Case
from medattn_app.domain.labels import audit_text, case_name
from medattn_app.domain.texts import Words
from medattn_app.service.experiments import Compared
from medattn_app.tabs.common.descriptions import describe_quarter, signed_number
from medattn_app.tabs.common.overlays import (
    evidence_layers,
    grey_photo,
    map_layer,
    photo,
    pile,
)
from medattn_app.tabs.common.plots import Line, line_chart

GreyAudit = tuple[float, dict[str, float]]  # a grey, and the audit against it


def compared_html(
    case: Case,
    one: Compared,
    greys: Sequence[GreyAudit],
    grey: float | None,
    words: Words,
) -> str:
    """Writes DeepLIFT against one reference, and against every grey.

    Args:
        case: The image.
        one: The comparison with the chosen reference.
        greys: What `Experiments.greys` gave.
        grey: The grey chosen, or None.
        words: Of the page.
    """
    sentence = _sentence(greys, words)
    audit = audit_text(one.audit, words)
    tick = "" if "fails" in one.audit_line else " ✓"
    return (
        f'<div class="ma-row">{_pictures(case, one, words)}</div>'
        f'<dl class="ma-tiles">{_tiles(one, words)}</dl>'
        f'<p class="ma-audit" data-testid="reference-audit">{escape(audit or "")}'
        f"{tick}</p>{_chart(greys, grey, sentence, words)}"
        f'<p class="ma-say">{escape(sentence)}</p>'
    )


def _pictures(case: Case, one: Compared, words: Words) -> str:
    title = words("doubt.reference.map")
    layers = [map_layer(one.relevance), *evidence_layers(case)]
    alt = f"{title}: {describe_quarter(one.relevance, words)}"
    pictures = {
        "image": pile(photo(case), alt=case_name(case, words)),
        "picture": pile(one.picture, alt=words("doubt.reference.picture")),
        "map": pile(grey_photo(case), *layers, alt=alt),
    }
    return "".join(
        f"<figure>{picture}<figcaption>{words(f'doubt.reference.{key}')}</figcaption>"
        "</figure>"
        for key, picture in pictures.items()
    )


def _tiles(one: Compared, words: Words) -> str:
    error = one.audit["error"]
    numbers = {
        "sum": signed_number(one.audit["relevance"]),
        "error": f"{abs(error):.0e}" if error else "0",
    }
    if one.mass is not None:
        numbers["mass"] = f"{one.mass:.0%}"
    return "".join(
        f"<div><dt>{words(f'doubt.reference.{key}')}</dt>"
        f'<dd data-testid="reference-{key}">{text}</dd>'
        f'<dd class="ma-foot">{words(f"doubt.reference.{key}.note")}</dd></div>'
        for key, text in numbers.items()
    )


def _sentence(greys: Sequence[GreyAudit], words: Words) -> str:
    sums = [audit["relevance"] for _, audit in greys]
    error = max(abs(audit["error"]) for _, audit in greys)
    return words(
        "doubt.reference.say",
        low=signed_number(min(sums)),
        high=signed_number(max(sums)),
        error=f"{error:.0e}",
    )


def _chart(
    greys: Sequence[GreyAudit], grey: float | None, sentence: str, words: Words
) -> str:
    sums = [(g, audit["relevance"]) for g, audit in greys]
    gaps = [(g, audit["logit"] - audit["reference"]) for g, audit in greys]
    low, high = min(0, *(b for _, b in sums)), max(0, *(b for _, b in sums))
    margin = 0.08 * (high - low)
    return line_chart(
        [
            Line(words("doubt.reference.line.gap"), gaps, 1, marks=False),
            Line(words("doubt.reference.line.sum"), sums, 0),
        ],
        x=(0, 1),
        y=(low - margin, high + margin),
        x_label=words("doubt.reference.x"),
        y_label=words("doubt.reference.y"),
        at=grey,
        alt=sentence,
    )
