"""The steps of the guided path: what is asked, what counts, what was measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medattn_app.domain.state import read_question
from medattn_app.service.answers import Answer
from medattn_app.service.context import Context

NEAR = 0.05  # of a probability or a fraction: smaller changes count as none
Asked = Mapping[str, Any]  # the page's question, with the open `"tab"`
IsDone = Callable[[str, Asked, Asked], bool]
Judgement = tuple[str | None, dict[str, str]]  # the right option, and numbers
Judge = Callable[[Context, Asked, Asked], Judgement]


@dataclass(frozen=True)
class Step:
    """One step: a question before, an action on the page, the answer after.

    The texts are `lesson.<name>.title`, `.ask`, `.task`, `.after` and, of each option,
    `.<option>`.

    Attributes:
        name: Part of its texts' keys.
        tab: The tab in which the action is done.
        options: Names of the answers that the learner may give.
        done: A function from (action, before, now) to whether the step is completed:
            `action` is `"question"`, `"visit"` or the name of a tab whose own action
            was done; `before` and `now` are the page's question.
        judge: A function from (context, before, now) to the option that turned out
            right (None where nothing can be measured) and to the numbers of its
            `.after` text.
    """

    name: str
    tab: str
    options: tuple[str, ...]
    done: IsDone
    judge: Judge


def changed(before: Asked, now: Asked) -> list[str]:
    """Lists the fields in which two questions differ."""
    return sorted(key for key in now if before.get(key) != now[key] and key != "tab")


def outcome(before: float, now: float) -> str:
    """Says whether a number rose, fell or stayed near."""
    if now - before > NEAR:
        return "more"
    return "less" if before - now > NEAR else "same"


def percent(fraction: float) -> str:
    """Writes a fraction in whole percent."""
    return f"{fraction:.0%}"


def probability_in_words(probability: float) -> str:
    """Writes a probability so that rounding never claims certainty."""
    if probability < 0.005:
        return "< 0.01"
    return "> 0.99" if probability > 0.995 else f"{probability:.2f}"


def _answer(context: Context, question: Asked) -> Answer | None:
    """Returns the answer to a question of the page; None if there is none."""
    service = context.service
    try:
        asked = read_question(dict(question))
        case, cell = service.case_of(asked), service.cell_of(asked)
        return service.answer(case, cell, asked.method)
    except ValueError:
        return None


def _judge_fact(right: str | None) -> Judge:
    return lambda context, before, now: (right, {})


def _judge_probability(context: Context, before: Asked, now: Asked) -> Judgement:
    was, became = _answer(context, before), _answer(context, now)
    if was is None or became is None:
        return None, dict(was="?", now="?")
    values = dict(
        was=probability_in_words(was.probability),
        now=probability_in_words(became.probability),
    )
    return outcome(was.probability, became.probability), values


def _judge_mass(context: Context, before: Asked, now: Asked) -> Judgement:
    was, became = (
        None if answer is None else answer.quality.get("mass")
        for answer in (_answer(context, before), _answer(context, now))
    )
    if was is None or became is None:
        return None, dict(was="?", now="?")
    return outcome(was, became), dict(was=percent(was), now=percent(became))


def _judge_audit(context: Context, before: Asked, now: Asked) -> Judgement:
    answer = _answer(context, now)
    if answer is None or answer.refused:
        return None, {}
    return ("yes" if answer.audit_line else "no"), {}


def _on_page(
    fields: Sequence[str],
    also: Callable[[Asked, Asked], bool] = lambda before, now: True,
) -> IsDone:
    """An action on the page: just one of these fields changed, in a certain way."""

    def done(action: str, before: Asked, now: Asked) -> bool:
        return (
            action == "question"
            and changed(before, now) in ([field] for field in fields)
            and also(before, now)
        )

    return done


def _visit(tab: str) -> IsDone:
    return lambda action, before, now: action == "visit" and now.get("tab") == tab


def _action_on(tab: str) -> IsDone:
    return lambda action, before, now: action == tab


def _another_image(action: str, before: Asked, now: Asked) -> bool:
    moved = {"dataset", "image"} & set(changed(before, now))
    return action == "question" and bool(moved)


STEPS = {
    step.name: step
    for step in (
        Step(
            "read",
            "explore",
            ("moved", "disease", "looked"),
            _another_image,
            _judge_fact("moved"),
        ),
        Step(
            "data",
            "explore",
            ("more", "less", "same"),
            _on_page(["regime"], lambda b, n: n["regime"] < b["regime"]),
            _judge_probability,
        ),
        Step(
            "attention",
            "explore",
            ("more", "less", "same"),
            _on_page(["attention"]),
            _judge_mass,
        ),
        Step("method", "explore", ("yes", "no"), _on_page(["method"]), _judge_audit),
        Step(
            "inside",
            "inside",
            ("same", "other"),
            _visit("inside"),
            _judge_fact("other"),
        ),
        Step(
            "predict",
            "predict",
            ("sure", "unsure"),
            _action_on("predict"),
            _judge_fact(None),
        ),
        Step(
            "doubt", "doubt", ("all", "some"), _action_on("doubt"), _judge_fact("some")
        ),
        Step(
            "evidence",
            "evidence",
            ("attention", "pretraining", "cannot"),
            _visit("evidence"),
            _judge_fact(None),
        ),
    )
}
LESSONS = {
    "first": tuple(STEPS),
    "maps": ("read", "method", "doubt"),
    "data": ("read", "data", "predict", "evidence"),
    "attention": ("attention", "inside", "evidence"),
}
