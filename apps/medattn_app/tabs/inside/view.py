"""Look inside, drawn: gates and heads over the image, the later map beside."""

from html import escape

import numpy as np

from medattn.figures import relevance_rgba
from medattn_app.domain.constants import SELF_ATTENTION
from medattn_app.domain.labels import cell_title, percent, probability_text
from medattn_app.tabs.common.overlays import map_layer, outline_layer, pale, pile
from medattn_app.tabs.explore.view import alternative

WIDE, TALL = 320, 64  # of a bar chart's drawing


def lead(words):
    """Writes the tab's first sentence."""
    return (
        f'<p class="ma-lead">{escape(words("inside.lead"))}</p>'
        f'<p class="ma-ask">{escape(words("inside.ask"))}</p>'
    )


def sentence(text):
    """Writes a sentence in the place of the view."""
    return f'<p class="ma-say">{escape(text)}</p>'


def page(case, cell, look, words):
    """Draws everything right of the controls.

    Args:
        case: The `Case`.
        cell: The `Cell`.
        look: What `Inside.look` gave.
        words: The texts.

    Returns:
        HTML without scripts.
    """
    parts = [_before_and_after(case, cell, look, words)]
    if "spatial" in look:
        parts.append(_spatial(case, look["spatial"], words))
    if "channel" in look:
        parts.append(_channels(look["channel"], words))
    if "heads" in look:
        parts.append(_heads(case, look["heads"], words))
    if cell.attention == "none":
        parts.append(sentence(words("inside.none")))
    parts.append(_python(cell, words))
    return "".join(parts)


def _before_and_after(case, cell, look, words):
    """The network's own maps on the left, the one made afterwards on the right."""
    answer = look["answer"]
    figures = []
    for name, own in look.get("tokens", {}).items():
        figures.append(
            _figure(
                case,
                _shape(own.relevance),
                words(f"inside.{name.split('.')[1]}"),
                _inside(own, words),
                words,
            )
        )
    if "spatial" in look:
        large = [_large(values[..., 0]) for values in look["spatial"].values()]
        mean, title = _shape(np.mean(large, axis=0)), words("inside.spatial")
        figures.append(_figure(case, mean, title, "", words))
    figures.append(
        _pile(
            case,
            map_layer(answer.relevance),
            words("inside.post"),
            _inside(answer, words),
            alternative(case, answer, words),
        )
    )
    title = cell_title(cell, words)
    title = escape(f"{title}: P = {probability_text(answer.probability)}")
    return (
        f'<section class="ma-inside"><h3>{title}</h3>'
        f'<div class="ma-inside-row ma-inside-large">{"".join(figures)}</div></section>'
    )


def _spatial(case, gates, words):
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


def _channels(gates, words):
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


def _heads(case, heads, words):
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


def _figure(case, shape, title, note, words):
    layer = "heat", relevance_rgba(shape, 1.0)
    row, column = np.unravel_index(np.argmax(shape), shape.shape)
    place = words("inside.strongest", row=row, column=column, size=len(shape))
    alt = f"{title}: {place} {note}"
    return _pile(case, layer, title, note, alt)


def _pile(case, layer, title, note, alt):
    layers = [layer]
    if case.has_evidence:
        layers.append(outline_layer(case.evidence))
    return (
        f"<figure>{pile(pale(case.picture), *layers, alt=alt)}"
        f"<figcaption><b>{escape(title)}</b> {escape(note)}</figcaption></figure>"
    )


def _bars(values, title, words):
    """Draws one weight a channel, in the channels' order, from 0 to 1."""
    width = WIDE / len(values)
    bars = "".join(
        f'<rect x="{at * width:.2f}" y="{TALL * (1 - value):.2f}" '
        f'width="{max(0.8 * width, 0.5):.2f}" height="{TALL * value:.2f}"/>'
        for at, value in enumerate(values)
    )
    low, middle, high = np.percentile(values, [0, 50, 100])
    note = words(
        "inside.weights", low=f"{low:.2f}", middle=f"{middle:.2f}", high=f"{high:.2f}"
    )
    return (
        f'<figure><svg viewBox="0 0 {WIDE} {TALL}" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(f"{title}: {note}")}">{bars}'
        f'<line x1="0" x2="{WIDE}" y1="{TALL / 2}" y2="{TALL / 2}"/></svg>'
        f"<figcaption><b>{escape(title)}</b> {escape(note)}</figcaption></figure>"
    )


def _inside(answer, words):
    if "mass" not in answer.quality:
        return ""
    return words("inside.mass", share=percent(answer.quality["mass"]))


def _python(cell, words):
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


def _kind(cell):
    return "spatial" if cell.attention == "CBAM" else "channel"


def _shape(values):
    """Stretches scores over 0 to 1: only their shape is drawn, the numbers are said."""
    values = np.asarray(values, np.float64)
    reach = values.max() - values.min()
    return (values - values.min()) / reach if reach else np.zeros_like(values)


def _large(values, side=64):
    """Repeats each place of a small map, so that it lies over the image."""
    return np.kron(values, np.ones((side // len(values), side // values.shape[1])))
