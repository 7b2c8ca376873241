"""Answers in, HTML out: the stage, the comparison, the sentence."""

import base64
from functools import lru_cache
from html import escape

import numpy as np

from medattn.figures import colour_scale, grey, outline_rgba, png_bytes, relevance_rgba

CANNOT_TELL = (
    "One network of each kind was trained, so whether the block or chance makes the "
    "difference: <b>cannot tell</b>."
)


def page(case, answers, *, attention, regime, method, baselines):
    """Draws everything right of the controls.

    Args:
        case: The `Case` shown.
        answers: A dict from attention block to `Answer`.
        attention: The block chosen.
        regime: The regime chosen, in words, such as `"10 %"`.
        method: The method chosen, in words and as a name.
        baselines: What `bench.baselines(case)` gave.

    Returns:
        HTML without scripts; every text that could come from a visitor is escaped.
    """
    scale = colour_scale(*(answer.relevance for answer in answers.values()))
    chosen = answers[attention]
    pictures = _pictures(case)
    cells = "".join(
        _cell(key, answer, pictures, scale, chosen=key == attention)
        for key, answer in answers.items()
    )
    truth = escape(case.truth) if case.truth else "nobody knows"
    return f"""
<section class="ma-answer" aria-label="Prediction">
  <p class="ma-chance"><span>P(diseased)</span>
    <output data-testid="chance">{_probability(chosen.chance)}</output></p>
  <div class="ma-bars">
    {_bar("diseased", chosen.chance, "for")}
    {_bar("healthy", 1 - chosen.chance, "against")}
  </div>
  <p class="ma-truth">truth: <b data-testid="truth">{truth}</b><br>
    <span>test AUROC of this network: {chosen.auroc:.3f}</span></p>
</section>
<section class="ma-stage" aria-label="Reasons">
  {_layers(case, chosen, pictures, scale, "stage")}
  <div class="ma-tools">
    <label>map <input type="range" min="0" max="100" value="100" data-tool="opacity"
      aria-label="Opacity of the map"></label>
    <label><input type="checkbox" data-tool="photo"> photo in colour</label>
    <label {"" if pictures["outline"] else "hidden"}><input type="checkbox"
      data-tool="evidence" checked> evidence</label>
  </div>
  {_scale_bar(scale, method)}
</section>
<section class="ma-others" aria-label="The same image under each attention block">
  <h3>the same image, the same scale</h3>
  <div class="ma-cells">{cells}</div>
  {_audit(chosen)}
  {_mass(chosen, baselines)}
</section>
<section class="ma-sentence" aria-live="polite" data-testid="sentence">
  <p>{_sentence(answers, attention, regime)}</p>
  {_caution(case)}
  {_snippet(attention, regime, method)}
</section>
"""


@lru_cache(maxsize=64)
def _pictures(case):
    """Encodes what does not change when a network is toggled."""
    pale = grey(case.picture)
    outline = ""
    if case.evidence is not None and case.evidence.any():
        outline = _uri(outline_rgba(case.evidence))
    return {
        "photo": _uri(case.picture),
        "grey": _uri(pale),
        "small": _uri(pale[::2, ::2]),
        "outline": outline,
    }


def _layers(case, answer, pictures, scale, kind):
    text = _alternative(case, answer)
    outline = ""
    if pictures["outline"]:
        outline = f'<img class="ma-evidence" src="{pictures["outline"]}" alt="">'
    return (
        f'<div class="ma-layers ma-{kind}-layers" role="img" aria-label="{text}">'
        f'<img class="ma-grey" src="{pictures["grey"]}" alt="">'
        f'<img class="ma-photo" src="{pictures["photo"]}" alt="">'
        f'<img class="ma-map" data-testid="{kind}-map" '
        f'src="{_uri(relevance_rgba(answer.relevance, scale))}" alt="">'
        f"{outline}</div>"
    )


def _cell(key, answer, pictures, scale, *, chosen):
    name = "no attention" if key == "none" else key
    mass = (
        "" if answer.mass is None else f"<small>{answer.mass:.0%} in evidence</small>"
    )
    picture = (
        '<span class="ma-layers">'
        f'<img class="ma-grey" src="{pictures["small"]}" alt="">'
        f'<img class="ma-map" src="{_uri(relevance_rgba(answer.relevance, scale))}" '
        'alt="">'
        + (
            f'<img class="ma-evidence" src="{pictures["outline"]}" alt="">'
            if pictures["outline"]
            else ""
        )
        + "</span>"
    )
    return (
        f'<button type="button" class="ma-cell" data-attention="{key}" '
        f'aria-pressed="{"true" if chosen else "false"}" '
        f'data-testid="cell-{key}"><b>{name}</b>{picture}'
        f"<span>P {_probability(answer.chance)}</span>{mass}</button>"
    )


def _bar(name, chance, sign):
    return (
        f'<div class="ma-bar"><span>{name}</span><i class="ma-{sign}" '
        f'style="--share:{chance:.4f}"></i><b>{_probability(chance)}</b></div>'
    )


def _scale_bar(scale, method):
    unit = "logits a pixel" if method[1] != "gradient" else "logits per unit of grey"
    return (
        '<div class="ma-scale"><div class="ma-ramp"></div>'
        f"<div><span>−{scale:.2g}</span><span>against · <b>0</b> · for</span>"
        f"<span>+{scale:.2g}</span></div><small>{escape(method[0])}, {unit}; one scale "
        "for all three maps</small></div>"
    )


def _audit(answer):
    if answer.audit is None:
        line = "This method keeps no ledger: its map need not add up to the prediction."
    else:
        line = (
            f"{escape(answer.audit)} ✓" if "fails" not in answer.audit else answer.audit
        )
    return (
        f'<p class="ma-audit"><span>ledger</span> <b data-testid="audit">{line}</b></p>'
    )


def _mass(answer, baselines):
    if answer.mass is None or baselines is None:
        return ""
    random, edges = baselines
    return (
        '<p class="ma-audit"><span>relevance inside the evidence</span> '
        f"<b>{answer.mass:.0%}</b> <small>(a random map {random:.1%}, an edge detector "
        f"{edges:.0%})</small></p>"
    )


def _sentence(answers, attention, regime):
    chosen, plain = answers[attention], answers["none"]
    if attention == "none":
        spread = ", ".join(
            f"{key} {_probability(answer.chance)}"
            for key, answer in answers.items()
            if key != "none"
        )
        change = (
            f"No attention, {regime} of the data: P(diseased) "
            f"{_probability(plain.chance)}; with a block in its place: {spread}."
        )
    else:
        change = (
            f"{attention} instead of none, {regime} of the data: P(diseased) "
            f"{_probability(plain.chance)} → {_probability(chosen.chance)}"
        )
        if chosen.mass is not None:
            change += (
                f", relevance inside the evidence {plain.mass:.0%} → {chosen.mass:.0%}"
            )
        change += "."
    return f"{change} {CANNOT_TELL}"


def _caution(case):
    if case.truth is not None:
        return ""
    return (
        '<p class="ma-caution" data-testid="caution">These networks have only '
        "ever seen drawings of retinas. What they say about your image is no judgement "
        "of it.</p>"
    )


def _snippet(attention, regime, method):
    model = {"none": "micro_resnet"}.get(attention, f"{attention.lower()}_micro_resnet")
    share = float(regime.rstrip(" %")) / 100
    code = (
        f'model = load_zoo_model("{model}", dataset="fundus", regime={share:g})\n'
        f'analyzer = create_analyzer("{method[1]}", model, '
        'neuron_selection_mode="index")\n'
        "relevance = analyzer.analyze(images, 1)  # (batch, 64, 64, 3), in logits"
    )
    return (
        "<details><summary>the three lines of Python</summary>"
        f"<pre>{code}</pre></details>"
    )


def _alternative(case, answer):
    """Says in a sentence what the map shows, for those who do not see it."""
    grid = np.abs(answer.relevance).reshape(2, 32, 2, 32).sum(axis=(1, 3))
    rows, columns = ("upper", "lower"), ("left", "right")
    row, column = np.unravel_index(grid.argmax(), grid.shape)
    return escape(
        f"Relevance map of {case.name}: most relevance, {grid.max() / grid.sum():.0%}, "
        f"lies in the {rows[row]} {columns[column]} quarter; P(diseased) is "
        f"{_probability(answer.chance)}."
    )


def _probability(chance):
    if 0 < chance < 0.005:
        return "&lt; .01"
    if 0.995 <= chance < 1:
        return "&gt; .99"
    return f"{chance:.2f}".lstrip("0") if chance < 1 else "1.00"


def _uri(pixels):
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()


def thumbnails(cases, chosen):
    """Draws the gallery as buttons; `chosen` is a place in it, or None."""
    buttons = "".join(
        f'<button type="button" data-place="{place}" data-testid="image-{place}" '
        f'aria-pressed="{"true" if place == chosen else "false"}" '
        f'aria-label="{escape(case.name)}"><img src="{_uri(case.picture[::2, ::2])}" '
        'alt=""></button>'
        for place, case in enumerate(cases)
    )
    return f'<div class="ma-gallery">{buttons}</div>'
