"""Look inside as HTML: gates and heads over the image, the later map beside."""

from html import escape

import numpy as np

from medattn.figures import relevance_rgba
from medattn_app.domain.cases import Case
from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import SELF_ATTENTION
from medattn_app.domain.labels import cell_title, percent, probability_text
from medattn_app.domain.texts import Words
from medattn_app.service.answers import Answer
from medattn_app.tabs.common.descriptions import describe_map
from medattn_app.tabs.common.overlays import (
    Layer,
    evidence_layers,
    grey_photo,
    map_layer,
    pile,
)
from medattn_app.tabs.inside.reader import Attention

WIDTH, HEIGHT = 320, 64  # of a bar chart's drawing


def lead(words: Words) -> str:
    """Writes the tab's first sentence."""
    return (
        f'<p class="ma-lead">{escape(words("inside.lead"))}</p>'
        f'<p class="ma-ask">{escape(words("inside.ask"))}</p>'
    )


def sentence(text: str) -> str:
    """Writes a sentence instead of the view."""
    return f'<p class="ma-say">{escape(text)}</p>'


def page(case: Case, cell: Cell, attention: Attention, words: Words) -> str:
    """Writes everything right of the controls.

    Args:
        case: The image.
        cell: The network.
        attention: What its attention says about the image.
        words: The texts.

    Returns:
        HTML without scripts.
    """
    parts = [_before_and_after(case, cell, attention, words)]
    if attention.spatial:
        parts.append(_spatial(case, attention.spatial, words))
    if attention.channel:
        parts.append(_channels(attention.channel, words))
    if attention.heads is not None:
        parts.append(_heads(case, attention.heads, words))
    if cell.attention == "none":
        parts.append(sentence(words("inside.none")))
    parts.append(_python(cell, words))
    return "".join(parts)


def _before_and_after(
    case: Case, cell: Cell, attention: Attention, words: Words
) -> str:
    """The network's own maps on the left, the one made afterwards on the right."""
    answer, figures = attention.answer, []
    for name, token in attention.tokens.items():
        assert token.relevance is not None
        shape, title = _shape(token.relevance), words(f"inside.{name.split('.')[1]}")
        figures.append(_figure(case, shape, title, _inside(token, words), words))
    if attention.spatial:
        large = [_large(values[..., 0]) for values in attention.spatial.values()]
        mean, title = _shape(np.mean(large, axis=0)), words("inside.spatial")
        figures.append(_figure(case, mean, title, "", words))
    assert answer.relevance is not None
    layer, alt = map_layer(answer.relevance), describe_map(case, answer, words)
    title, note = words("inside.post"), _inside(answer, words)
    figures.append(_pile(case, layer, title, note, alt))
    title = cell_title(cell, words)
    title = escape(f"{title}: P = {probability_text(answer.probability)}")
    return (
        f'<section class="ma-inside"><h3>{title}</h3>'
        f'<div class="ma-inside-row ma-inside-large">{"".join(figures)}</div></section>'
    )


def _spatial(case: Case, gates: dict[str, np.ndarray], words: Words) -> str:
    figures = "".join(
        _figure(
            case,
            _shape(_large(values[..., 0])),
            words("inside.stage", number=at + 1, size=values.shape[0]),
            f"{values.min():.2f} – {values.max():.2f}",
            words,
        )
        for at, values in enumerate(gates.values())
    )
    return (
        f'<section class="ma-inside"><h3>{escape(words("inside.spatial_title"))}</h3>'
        f'<div class="ma-inside-row">{figures}</div>'
        f'<p class="ma-note">{escape(words("inside.spatial_note"))}</p></section>'
    )


def _channels(gates: dict[str, np.ndarray], words: Words) -> str:
    charts = "".join(
        _bars(
            np.ravel(values),
            words("inside.stage_channels", number=at + 1, count=values.size),
            words,
        )
        for at, values in enumerate(gates.values())
    )
    return (
        f'<section class="ma-inside"><h3>{escape(words("inside.channel_title"))}</h3>'
        f'<div class="ma-inside-row ma-inside-bars">{charts}</div>'
        f'<p class="ma-note">{escape(words("inside.channel_note"))}</p></section>'
    )


def _heads(case: Case, heads: np.ndarray, words: Words) -> str:
    rows = []
    for layer, row in enumerate(heads):
        figures = "".join(
            _figure(
                case,
                _shape(values),
                words("inside.head", layer=layer + 1, head=at + 1),
                "",
                words,
            )
            for at, values in enumerate(row)
        )
        rows.append(f'<div class="ma-inside-row">{figures}</div>')
    return (
        f'<section class="ma-inside"><h3>{escape(words("inside.heads_title"))}</h3>'
        f'{"".join(rows)}<p class="ma-note">{escape(words("inside.heads_note"))}</p>'
        "</section>"
    )


def _figure(case: Case, shape: np.ndarray, title: str, note: str, words: Words) -> str:
    layer = "heat", relevance_rgba(shape, 1.0)
    row, column = np.unravel_index(np.argmax(shape), shape.shape)
    pixel = words("inside.strongest", row=row, column=column, size=len(shape))
    alt = f"{title}: {pixel} {note}"
    return _pile(case, layer, title, note, alt)


def _pile(case: Case, layer: Layer, title: str, note: str, alt: str) -> str:
    layers = [layer, *evidence_layers(case)]
    return (
        f"<figure>{pile(grey_photo(case), *layers, alt=alt)}"
        f"<figcaption><b>{escape(title)}</b> {escape(note)}</figcaption></figure>"
    )


def _bars(values: np.ndarray, title: str, words: Words) -> str:
    """Draws one weight a channel, in the channels' order, from 0 to 1."""
    width = WIDTH / len(values)
    bars = "".join(
        f'<rect x="{at * width:.2f}" y="{HEIGHT * (1 - value):.2f}" '
        f'width="{max(0.8 * width, 0.5):.2f}" height="{HEIGHT * value:.2f}"/>'
        for at, value in enumerate(values)
    )
    numbers = np.percentile(values, [0, 50, 100])
    low, median, high = (f"{number:.2f}" for number in numbers)
    note = words("inside.weights", low=low, median=median, high=high)
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(f"{title}: {note}")}">{bars}'
        f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT / 2}" y2="{HEIGHT / 2}"/></svg>'
        f"<figcaption><b>{escape(title)}</b> {escape(note)}</figcaption></figure>"
    )


def _inside(answer: Answer, words: Words) -> str:
    if "mass" not in answer.quality:
        return ""
    return words("inside.mass", fraction=percent(answer.quality["mass"]))


def _python(cell: Cell, words: Words) -> str:
    call = (
        "class_token_maps(model, images)"
        if cell.attention == SELF_ATTENTION
        else f'gate_maps(model, images, kind="{_kind(cell)}")'
    )
    code = (
        f"model = {cell.code}\n"
        f'images = draw_images("{cell.dataset}", range(8))["image"] / '
        f"np.float32(255)\nscores = {call}"
    )
    if cell.attention == "none":
        return ""
    return (
        f'<details class="ma-inside"><summary>{escape(words("explore.python"))}'
        f"</summary><pre>{escape(code)}</pre></details>"
    )


def _kind(cell: Cell) -> str:
    return "spatial" if cell.attention == "CBAM" else "channel"


def _shape(values: np.ndarray | list) -> np.ndarray:
    """Stretches scores over 0 to 1: only their shape is drawn, the numbers are said."""
    values = np.asarray(values, np.float64)
    reach = values.max() - values.min()
    return (values - values.min()) / reach if reach else np.zeros_like(values)


def _large(values: np.ndarray, side: int = 64) -> np.ndarray:
    """Repeats each pixel of a small map, so that it lies over the image."""
    return np.kron(values, np.ones((side // len(values), side // values.shape[1])))
