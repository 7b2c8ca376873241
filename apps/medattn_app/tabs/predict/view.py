"""Predict first as HTML: an image to draw on, the answers laid over it, the score."""

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from medattn.figures import FOR
from medattn_app.domain.cases import Case
from medattn_app.domain.labels import (
    case_name,
    cell_title,
    class_name,
    probability_text,
    truth_text,
)
from medattn_app.domain.texts import Words
from medattn_app.service.answers import Answer
from medattn_app.tabs.common.colours import LEARNER
from medattn_app.tabs.common.descriptions import describe_quarter
from medattn_app.tabs.common.overlays import (
    grey_photo,
    map_layer,
    outline_layer,
    pile,
    png_uri,
)
from medattn_app.tabs.common.plots import Line, line_chart
from medattn_app.tabs.predict.game import (
    BINS,
    FEW_ROUNDS,
    SIDE,
    Prediction,
    Revealed,
)

SHORT_NAMES = {
    "yours": "predict.you",
    "evidence": "predict.short.evidence",
    "map": "predict.short.map",
}
PLAYERS = {"learner": "you", "network": "network"}  # in the score: in texts


def ask_html(case: Case, turn: int, words: Words) -> str:
    """Writes the image and the questions; nothing of the answer is on the page.

    Args:
        case: The image.
        turn: Number of the image in the session, from 1.
        words: Of the page.
    """
    classes = [class_name(case.dataset, label, words) for label in (0, 1)]
    options = "".join(
        f'<label class="ma-choice"><input type="radio" name="ma-label" '
        f'value="{value}"> {escape(name)}</label>'
        for value, name in enumerate(classes)
    )
    status = escape(words("predict.status"))
    return f"""
<div class="ma-play" data-state="ask">
  <div class="ma-board">
    <div class="ma-pile"><img src="{png_uri(case.picture)}"
      alt="{escape(words("predict.hidden"))}" data-testid="asked">
      <canvas width="{SIDE}" height="{SIDE}" tabindex="0" role="application"
        aria-label="{escape(words("predict.board"))}" data-testid="board"></canvas>
      <i class="ma-brush" hidden></i></div>
    <div class="ma-tools" role="group" aria-label="{escape(words("predict.where"))}">
      <label><input type="radio" name="ma-pen" value="draw" checked>
        {escape(words("predict.draw"))}</label>
      <label><input type="radio" name="ma-pen" value="erase">
        {escape(words("predict.erase"))}</label>
      <label><input type="checkbox" data-tool="broad">
        {escape(words("predict.broad"))}</label>
      <button type="button" data-do="clear">{escape(words("predict.clear"))}</button>
    </div>
    <p class="ma-note" role="status" data-say="status" data-text="{status}"></p>
  </div>
  <div class="ma-form">
    <p class="ma-note">{escape(words("predict.turn", turn=turn))}</p>
    <fieldset><legend>{escape(words("predict.what"))}</legend>{options}</fieldset>
    <div><h3>{escape(words("predict.where"))}</h3>
      <p class="ma-note">{escape(words("predict.where.how"))}</p></div>
    <div><h3><span id="ma-sure-name">{escape(words("predict.sure"))}</span>
      <output data-say="sure">75%</output></h3>
      <input type="range" min="50" max="100" value="75" data-tool="sure"
        aria-labelledby="ma-sure-name">
      <p class="ma-ends"><span>50%: {escape(words("predict.coin"))}</span>
        <span>100%: {escape(words("predict.certain"))}</span></p></div>
    <button type="button" class="ma-go" data-do="reveal" data-testid="reveal">
      {escape(words("predict.reveal"))}</button>
    <p class="ma-missing" role="alert" hidden>{escape(words("predict.missing"))}</p>
  </div>
</div>"""


def revealed_html(
    case: Case,
    predicted: Prediction,
    answer: Answer,
    found: Revealed,
    turn: int,
    words: Words,
) -> str:
    """Writes the three answers and the three regions, one over another.

    Args:
        case: The image.
        predicted: What the learner predicted.
        answer: What the network answers.
        found: The regions.
        turn: Number of the image in the session, from 1.
        words: Of the page.
    """
    truth = truth_text(case, words) or ""
    sentence = _sentence(case, predicted, answer, found, words)
    versus = words("predict.versus", network=cell_title(answer.cell, words))
    return f"""
<div class="ma-play ma-hide-heat" data-state="revealed">
  <div class="ma-board">{_regions(case, answer, found, words)}
    <div class="ma-tools" role="group" aria-label="{escape(words("predict.layers"))}">
      {_switches(words)}</div></div>
  <div class="ma-form">
    <p class="ma-note">{escape(words("predict.turn", turn=turn))}</p>
    <dl class="ma-tiles">{_answers(case, predicted, answer, words)}
      <div><dt>{escape(words("predict.truth"))}</dt>
        <dd data-testid="revealed-truth">{escape(truth)}</dd></div></dl>
    {_pairs(found, words)}
    <button type="button" class="ma-go" data-do="next" data-testid="next">
      {escape(words("predict.next"))}</button>
  </div>
  <p class="ma-say" aria-live="polite" data-testid="predict-say">
    {escape(sentence)}
    <span class="ma-note">{escape(versus)}
    </span></p>
</div>"""


def _regions(case: Case, answer: Answer, found: Revealed, words: Words) -> str:
    assert answer.relevance is not None
    layers = [
        map_layer(answer.relevance),
        outline_layer(found.map, "region", FOR),
        outline_layer(found.evidence),
        outline_layer(found.yours, "yours", LEARNER),
    ]
    alt = (
        f"{case_name(case, words)}: {words('predict.yours')}, "
        f"{words('predict.evidence')}, {words('predict.map')}; "
        f"{describe_quarter(answer.relevance, words)}"
    )
    return pile(grey_photo(case), *layers, alt=alt)


def _switches(words: Words) -> str:
    """Writes the boxes that show and hide the layers."""
    return "".join(
        f'<label><input type="checkbox" data-layer="{layer}"{checked}>'
        f'<i class="ma-key ma-key-{layer}"></i>{escape(words(f"predict.{text}"))}'
        "</label>"
        for layer, text, checked in (
            ("yours", "yours", " checked"),
            ("evidence", "evidence", " checked"),
            ("region", "map", " checked"),
            ("heat", "heat", ""),
        )
    )


def _answers(case: Case, predicted: Prediction, answer: Answer, words: Words) -> str:
    """Writes what the learner and the network say the image shows."""
    classes = [class_name(case.dataset, label, words) for label in (0, 1)]
    network = int(answer.probability >= 0.5)
    rows = (
        ("you", predicted.label, f"{predicted.sure:.0%}"),
        ("network", network, _sure(answer.probability)),
    )
    return "".join(
        f"<div><dt>{escape(words(f'predict.{who}'))}</dt>"
        f'<dd data-testid="answer-{who}">{escape(classes[label])}</dd>'
        f'<dd class="ma-foot">{escape(sure)}, '
        f"{escape(words(_judged(label == case.label)))}</dd>"
        "</div>"
        for who, label, sure in rows
    )


def _pairs(found: Revealed, words: Words) -> str:
    heads = "".join(
        f"<th scope='col'>{escape(words(f'predict.{key}'))}</th>"
        for key in ("pair", "iou", "of_first", "of_second")
    )
    body = "".join(
        "<tr><th scope='row'><span>"
        f"{escape(words(SHORT_NAMES[one]))} · {escape(words(SHORT_NAMES[other]))}"
        "</span></th>"
        + "".join(
            f'<td data-testid="{name}-{one}-{other}">{_percent(value)}</td>'
            for name, value in pair._asdict().items()
        )
        + "</tr>"
        for (one, other), pair in found.pairs.items()
    )
    return (
        f'<div class="ma-wide"><table class="ma-table"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _sentence(
    case: Case,
    predicted: Prediction,
    answer: Answer,
    found: Revealed,
    words: Words,
) -> str:
    """Says who was right, and how well the map covers the evidence."""
    you = predicted.label == case.label
    network = (answer.probability >= 0.5) == case.label
    which = {
        (True, True): "both",
        (True, False): "you",
        (False, True): "network",
        (False, False): "neither",
    }[you, network]
    sure = _sure(answer.probability) if which == "you" else f"{predicted.sure:.0%}"
    first = words(f"predict.say.{which}", sure=sure)
    if not case.has_evidence:
        return f"{first} {words('predict.say.healthy')}"
    covered = found.pairs["map", "evidence"].of_second
    return f"{first} {words('predict.say.map', fraction=f'{covered:.0%}')}"


def score_html(
    rounds: int, scored: Mapping[str, Mapping[str, Any]] | None, words: Words
) -> str:
    """Writes the running score and the two calibration curves.

    Args:
        rounds: How many images.
        scored: What `game.score` gave, or None before the first.
        words: Of the page.
    """
    title = f"<h3>{escape(words('predict.score'))}</h3>"
    if not rounds or scored is None:
        return f'{title}<p class="ma-note">{escape(words("predict.score.none"))}</p>'
    tiles = "".join(
        f"<div><dt>{escape(words(f'predict.{name}'))}</dt>"
        f'<dd data-testid="score-{name}">{scored[who]["right"]} / {rounds}</dd>'
        f'<dd class="ma-foot">{escape(words("predict.score.brier"))} '
        f"<b>{scored[who]['brier']:.2f}</b></dd></div>"
        for who, name in PLAYERS.items()
    )
    sentence = words(
        "predict.score.say",
        rounds=rounds,
        sure=_mean_sure(scored["learner"]["curve"]),
        right=f"{scored['learner']['right'] / rounds:.0%}",
        network_sure=_mean_sure(scored["network"]["curve"]),
        network_right=f"{scored['network']['right'] / rounds:.0%}",
    )
    few = ""
    if rounds < FEW_ROUNDS:
        few = words("predict.score.few", rounds=rounds, few=FEW_ROUNDS)
    return (
        f'{title}<div class="ma-score"><div><dl class="ma-tiles">{tiles}</dl>'
        f'<p class="ma-note">{escape(words("predict.score.note"))}</p>'
        f'<p>{escape(sentence)}</p><p class="ma-note">{escape(few)}</p></div>'
        f"{_curves(scored, sentence, words)}</div>"
    )


def _curves(
    scored: Mapping[str, Mapping[str, Any]], sentence: str, words: Words
) -> str:
    lines = []
    for look, (who, name) in enumerate(PLAYERS.items()):
        curve = scored[who]["curve"]
        points = [
            (said, happened)
            for said, happened in zip(curve.said, curve.happened, strict=True)
            if np.isfinite(said)
        ]
        lines.append(Line(words(f"predict.{name}"), points, look))
    return line_chart(
        lines,
        x=(0.5, 1),
        y=(0, 1),
        x_label=words("predict.score.x"),
        y_label=words("predict.score.y"),
        ticks=[(0.5 + k / 10, f"{50 + 10 * k}%") for k in range(BINS + 1)],
        diagonal=True,
        alt=sentence,
    )


def _mean_sure(curve: Any) -> str:
    return f"{np.nansum(curve.said * curve.count) / curve.count.sum():.0%}"


def _sure(probability: float) -> str:
    """Writes how sure a network is of the likelier class."""
    return f"P {probability_text(max(probability, 1 - probability))}"


def _judged(right: bool) -> str:
    return "predict.right" if right else "predict.wrong"


def _percent(value: float) -> str:
    return "–" if not np.isfinite(value) else f"{value:.0%}"
