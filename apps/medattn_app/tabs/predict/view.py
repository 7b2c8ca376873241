"""The game as HTML: an image to draw on, the answers laid over it, the score."""

from html import escape

import numpy as np

from medattn_app.domain.labels import (
    case_name,
    cell_title,
    class_name,
    probability_text,
    truth_text,
)
from medattn_app.tabs.common.overlays import (
    MAPS,
    YOURS,
    map_layer,
    outline_layer,
    pale_photo,
    pile,
    uri,
    where,
)
from medattn_app.tabs.common.plots import Line, line_chart
from medattn_app.tabs.predict.game import BINS, FEW, SIDE

SHORT = {
    "yours": "predict.you",
    "evidence": "predict.short.evidence",
    "map": "predict.short.map",
}


def ask_html(case, turn, words):
    """Shows the image and asks; nothing of the answer is on the page.

    Args:
        case: The image.
        turn: Which of the sitting, from 1.
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
    <div class="ma-pile"><img src="{uri(case.picture)}"
      alt="{escape(words("predict.hidden"))}" data-testid="asked">
      <canvas width="{SIDE}" height="{SIDE}" tabindex="0" role="application"
        aria-label="{escape(words("predict.board"))}" data-testid="board"></canvas>
      <i class="ma-brush" hidden></i></div>
    <div class="ma-tools" role="group" aria-label="{escape(words("predict.where"))}">
      <label><input type="radio" name="ma-pen" value="draw" checked>
        {escape(words("predict.draw"))}</label>
      <label><input type="radio" name="ma-pen" value="rub">
        {escape(words("predict.rub"))}</label>
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


def revealed_html(case, said, answer, found, turn, words):
    """Shows the three answers and the three regions, one over another.

    Args:
        case: The image.
        said: The learner's `game.Said`.
        answer: The network's `service.Answer`.
        found: A `game.Revealed`.
        turn: Which of the sitting, from 1.
        words: Of the page.
    """
    classes = [class_name(case.dataset, label, words) for label in (0, 1)]
    layers = [
        map_layer(answer.relevance),
        outline_layer(found.map, "region", MAPS),
        outline_layer(found.evidence),
        outline_layer(found.yours, "yours", YOURS),
    ]
    network = int(answer.probability >= 0.5)
    rows = (
        ("you", classes[said.label], f"{said.sure:.0%}", said.label == case.label),
        (
            "network",
            classes[network],
            _sure(answer.probability),
            network == case.label,
        ),
    )
    answers = "".join(
        f"<div><dt>{escape(words(f'predict.{who}'))}</dt>"
        f'<dd data-testid="answer-{who}">{escape(name)}</dd>'
        f'<dd class="ma-foot">{escape(sure)}, {escape(words(_judged(right)))}</dd>'
        "</div>"
        for who, name, sure, right in rows
    )
    tools = "".join(
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
    name, truth = case_name(case, words), truth_text(case, words)
    alt = (
        f"{name}: {words('predict.yours')}, {words('predict.evidence')}, "
        f"{words('predict.map')}; {where(answer.relevance, words)}"
    )
    versus = cell_title(answer.cell, words)
    return f"""
<div class="ma-play ma-hide-heat" data-state="revealed">
  <div class="ma-board">{pile(pale_photo(case), *layers, alt=alt)}
    <div class="ma-tools" role="group" aria-label="{escape(words("predict.layers"))}">
      {tools}</div></div>
  <div class="ma-form">
    <p class="ma-note">{escape(words("predict.turn", turn=turn))}</p>
    <dl class="ma-tiles">{answers}
      <div><dt>{escape(words("predict.truth"))}</dt>
        <dd data-testid="revealed-truth">{escape(truth)}</dd></div></dl>
    {_pairs(found, words)}
    <button type="button" class="ma-go" data-do="next" data-testid="next">
      {escape(words("predict.next"))}</button>
  </div>
  <p class="ma-say" aria-live="polite" data-testid="predict-say">
    {escape(_sentence(case, said, answer, found, words))}
    <span class="ma-note">{escape(words("predict.versus", network=versus))}
    </span></p>
</div>"""


def _pairs(found, words):
    heads = "".join(
        f"<th scope='col'>{escape(words(f'predict.{key}'))}</th>"
        for key in ("pair", "iou", "of_first", "of_second")
    )
    body = "".join(
        "<tr><th scope='row'><span>"
        f"{escape(words(SHORT[one]))} · {escape(words(SHORT[other]))}</span></th>"
        + "".join(
            f'<td data-testid="{name}-{one}-{other}">{_share(value)}</td>'
            for name, value in pair._asdict().items()
        )
        + "</tr>"
        for (one, other), pair in found.pairs.items()
    )
    return (
        f'<div class="ma-wide"><table class="ma-table"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _sentence(case, said, answer, found, words):
    you, network = said.label == case.label, (answer.probability >= 0.5) == case.label
    which = {
        (True, True): "both",
        (True, False): "you",
        (False, True): "network",
        (False, False): "neither",
    }[you, network]
    sure = _sure(answer.probability) if which == "you" else f"{said.sure:.0%}"
    first = words(f"predict.say.{which}", sure=sure)
    if not case.has_evidence:
        return f"{first} {words('predict.say.healthy')}"
    share = found.pairs["map", "evidence"].of_second
    return f"{first} {words('predict.say.map', share=f'{share:.0%}')}"


def score_html(rounds, scored, words):
    """Draws the running score and the two calibration curves.

    Args:
        rounds: How many images.
        scored: What `game.score` gave, or None before the first.
        words: Of the page.
    """
    title = f"<h3>{escape(words('predict.score'))}</h3>"
    if not rounds:
        return f'{title}<p class="ma-note">{escape(words("predict.score.none"))}</p>'
    tiles = "".join(
        f"<div><dt>{escape(words(f'predict.{name}'))}</dt>"
        f'<dd data-testid="score-{name}">{scored[who]["right"]} / {rounds}</dd>'
        f'<dd class="ma-foot">{escape(words("predict.score.brier"))} '
        f"<b>{scored[who]['brier']:.2f}</b></dd></div>"
        for who, name in (("learner", "you"), ("network", "network"))
    )
    curves = [
        Line(
            words(f"predict.{name}"),
            [
                (said, happened)
                for said, happened in zip(
                    scored[who]["curve"].said,
                    scored[who]["curve"].happened,
                    strict=True,
                )
                if np.isfinite(said)
            ],
            look,
        )
        for look, (who, name) in enumerate((("learner", "you"), ("network", "network")))
    ]
    say = words(
        "predict.score.say",
        rounds=rounds,
        sure=_mean_sure(scored["learner"]["curve"]),
        right=f"{scored['learner']['right'] / rounds:.0%}",
        network_sure=_mean_sure(scored["network"]["curve"]),
        network_right=f"{scored['network']['right'] / rounds:.0%}",
    )
    chart = line_chart(
        curves,
        x=(0.5, 1),
        y=(0, 1),
        x_label=words("predict.score.x"),
        y_label=words("predict.score.y"),
        ticks=[(0.5 + k / 10, f"{50 + 10 * k}%") for k in range(BINS + 1)],
        diagonal=True,
        alt=say,
    )
    few = ""
    if rounds < FEW:
        few = words("predict.score.few", rounds=rounds, few=FEW)
    return (
        f'{title}<div class="ma-score"><div><dl class="ma-tiles">{tiles}</dl>'
        f'<p class="ma-note">{escape(words("predict.score.note"))}</p>'
        f'<p>{escape(say)}</p><p class="ma-note">{escape(few)}</p></div>{chart}</div>'
    )


def _mean_sure(curve):
    return f"{np.nansum(curve.said * curve.count) / curve.count.sum():.0%}"


def _sure(chance):
    """Writes how sure a network is of the likelier class."""
    return f"P {probability_text(max(chance, 1 - chance))}"


def _judged(right):
    return "predict.right" if right else "predict.wrong"


def _share(value):
    return "–" if not np.isfinite(value) else f"{value:.0%}"
