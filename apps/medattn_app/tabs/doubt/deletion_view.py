"""A deletion as HTML: the picture at each step, the curve, and what it proves."""

from html import escape

from medattn_app.domain.cases import Case
from medattn_app.domain.labels import case_name, class_name, probability_text
from medattn_app.domain.texts import Words
from medattn_app.service.experiments import Deleted
from medattn_app.tabs.common.overlays import png_uri
from medattn_app.tabs.common.plots import LEFT, RIGHT, WIDTH, Line, line_chart


def deleted_html(case: Case, one: Deleted, words: Words) -> str:
    """Writes the curve of a deletion, and the picture at each of its steps.

    A slider steps through it in the browser, see `deletion.js`.

    Args:
        case: The image.
        one: The experiment.
        words: Of the page.
    """
    positive = class_name(case.dataset, 1, words)
    sentence = _sentence(one, positive, words)
    label, name = words("doubt.delete.slider"), case_name(case, words)
    now = words("doubt.delete.now", positive=positive)
    first = escape(probability_text(one.values[0]))
    return (
        '<div class="ma-delete" data-axis="'
        f'{WIDTH - LEFT - RIGHT}"><div class="ma-delete-picture">'
        f'<div class="ma-pile ma-steps" role="img" aria-label="{escape(name)}">'
        f"{_steps(one)}</div>"
        f'<div class="ma-slide"><span>{label} <output data-say="fraction">0%</output>'
        f'</span><input type="range" min="0" max="{len(one.fractions) - 1}" value="0" '
        f'data-tool="step" aria-label="{escape(label)}"></div>'
        f'<p class="ma-big"><span>{now}</span>'
        '<output data-say="probability" data-testid="deleted-probability">'
        f"{first}</output></p></div>"
        f"<div>{_chart(one, positive, sentence, words)}</div></div>"
        f'<p class="ma-say" data-testid="deleted">{escape(sentence)}</p>'
    )


def _steps(one: Deleted) -> str:
    return "".join(
        f'<img src="{png_uri(picture)}" alt="" data-fraction="{fraction:.4f}" '
        f'data-probability="{escape(probability_text(probability))}"'
        f"{'' if step == 0 else ' hidden'}>"
        for step, (picture, fraction, probability) in enumerate(
            zip(one.pictures, one.fractions, one.values, strict=True)
        )
    )


def _chart(one: Deleted, positive: str, sentence: str, words: Words) -> str:
    fractions = [float(fraction) for fraction in one.fractions]
    orders = one.random_values
    return line_chart(
        [
            Line(
                words("doubt.delete.random", orders=len(orders)),
                list(zip(fractions, orders.mean(axis=0), strict=True)),
                1,
                low=list(orders.min(axis=0)),
                high=list(orders.max(axis=0)),
                marks=False,
            ),
            Line(
                words("doubt.delete.map"),
                list(zip(fractions, one.values, strict=True)),
                0,
            ),
        ],
        x=(0, 1),
        y=(0, 1),
        x_label=words("doubt.delete.x"),
        y_label=f"P({positive})",
        ticks=[(k / 4, f"{k / 4:.0%}") for k in range(5)],
        at=0,
        alt=sentence,
    )


def _sentence(one: Deleted, positive: str, words: Words) -> str:
    better = one.area < one.random_area.min()
    verdict = words("doubt.delete.better" if better else "doubt.delete.same")
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
