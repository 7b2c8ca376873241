"""A visitor's image as HTML: whether an answer means anything, the map, the answer."""

from html import escape

from medattn.figures import colour_scale, grey
from medattn_app.domain.cases import Case
from medattn_app.domain.labels import (
    audit_text,
    cell_title,
    probability_text,
    unit_text,
)
from medattn_app.domain.texts import Words
from medattn_app.service.answers import Answer, refusal
from medattn_app.service.distance import domain_note
from medattn_app.tabs.common.descriptions import describe_map
from medattn_app.tabs.common.overlays import map_layer, png_uri


def waiting_html(words: Words) -> str:
    """Writes what stands where no image has come yet."""
    return f"<p class='ma-wait'>{escape(words('uploaded.wait'))}</p>"


def page_html(case: Case, answer: Answer, method: str, words: Words) -> str:
    """Writes a visitor's image, its map, and whether both mean anything.

    Args:
        case: The image.
        answer: What the chosen network answers.
        method: Name of the method.
        words: Of the page.
    """
    outside, note = domain_note(case, getattr(answer.cell, "dataset", ""), words)
    text = escape(describe_map(case, answer, words))
    line = audit_text(answer.audit, words) or refusal(answer, words) or ""
    network = escape(cell_title(answer.cell, words))
    probability = escape(probability_text(answer.probability))
    return (
        '<div class="ma-uploaded">'
        f'<p class="ma-uploaded-note{" ma-outside" if outside else ""}" role="status" '
        f'data-testid="uploaded-note">{escape(note)}</p>'
        f'<div class="ma-uploaded-layers" role="img" aria-label="{text}">'
        f'<img src="{png_uri(grey(case.picture))}" alt="">{_map(answer, method, words)}'
        f'<p class="ma-uploaded-probability"><span>{network}</span> '
        f'<output data-testid="uploaded-probability">P {probability}'
        f'</output></p><p data-testid="uploaded-audit">{escape(line)}</p>'
        f'<p class="ma-quiet">{escape(words("uploaded.caution"))} '
        f"<strong>{escape(words('page.warning'))}</strong></p></div>"
    )


def _map(answer: Answer, method: str, words: Words) -> str:
    """Writes the map, closes the pile of pictures, and adds the scale below it."""
    if answer.relevance is None:
        return "</div>"
    full = colour_scale(answer.relevance)
    _, pixels = map_layer(answer.relevance, full)
    assert not isinstance(pixels, str)
    unit = escape(unit_text(method, words))
    return (
        '<img class="ma-pixels" data-testid="uploaded-map" alt="" '
        f'src="{png_uri(pixels)}"></div>'
        '<div class="ma-uploaded-scale" aria-hidden="true"></div><p class="ma-quiet">'
        f"−{full:.2g} … 0 … +{full:.2g} {unit}</p>"
    )
