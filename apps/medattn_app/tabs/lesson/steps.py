"""The steps of the guided path: what is asked, what counts, what was measured."""

from collections.abc import Callable
from dataclasses import dataclass

from medattn_app.domain.state import read_question

NEAR = 0.05  # of a probability or a share: smaller changes count as none


@dataclass(frozen=True)
class Step:
    """One step: a question before, a deed on the page, the answer after.

    The texts are `lesson.<name>.title`, `.ask`, `.task`, `.after` and, of each option,
    `.<option>`.

    Attributes:
        name: Part of its texts' keys.
        tab: The tab in which the deed is done.
        options: Names of the answers that the learner may give.
        done: A function from (deed, before, now) to whether the step is completed:
            `deed` is `"question"`, `"visit"` or the name of an act on a tab; `before`
            and `now` are the page's question as dicts, with the open `"tab"`.
        judge: A function from (context, before, now) to the option that turned out
            right (None where nothing can be measured) and to the numbers of its
            `.after` text.
    """

    name: str
    tab: str
    options: tuple[str, ...]
    done: Callable
    judge: Callable


def changed(before, now):
    """Lists the fields in which two questions differ."""
    return sorted(key for key in now if before.get(key) != now[key] and key != "tab")


def outcome(before, now):
    """Says whether a number rose, fell or stayed near."""
    if now - before > NEAR:
        return "more"
    return "less" if before - now > NEAR else "same"


def percent(share):
    return f"{share:.0%}"


def chance(share):
    """Writes a probability so that rounding never claims certainty."""
    if share < 0.005:
        return "< 0.01"
    return "> 0.99" if share > 0.995 else f"{share:.2f}"


def _ask(context, question, method=None):
    """Gives the service's answer to a question of the page; None if there is none."""
    service = context.service
    try:
        case = service.cases(question["dataset"])[question["image"]]
        cell = service.cell(
            *(question[key] for key in ("dataset", "backbone", "attention", "regime")),
            seed=question["seed"],
            **read_question(question).kind,
        )
        return service.answer(case, cell, method or question["method"])
    except (ValueError, KeyError, IndexError):
        return None


def _judge_fact(right):
    return lambda context, before, now: (right, {})


def _judge_chance(context, before, now):
    was, became = _ask(context, before), _ask(context, now)
    if was is None or became is None:
        return None, dict(was="?", now="?")
    values = dict(was=chance(was.probability), now=chance(became.probability))
    return outcome(was.probability, became.probability), values


def _judge_mass(context, before, now):
    was, became = _ask(context, before), _ask(context, now)
    shares = [
        None if answer is None else answer.quality.get("mass")
        for answer in (was, became)
    ]
    if None in shares:
        return None, dict(was="?", now="?")
    return outcome(*shares), dict(was=percent(shares[0]), now=percent(shares[1]))


def _judge_ledger(context, before, now):
    answer = _ask(context, now)
    if answer is None or answer.refused:
        return None, {}
    return ("yes" if answer.audit_line else "no"), {}


def _on_page(fields, also=lambda before, now: True):
    """A deed on the page: just these fields changed, in a certain way."""

    def done(deed, before, now):
        return (
            deed == "question"
            and changed(before, now) in ([field] for field in fields)
            and also(before, now)
        )

    return done


def _visit(tab):
    return lambda deed, before, now: deed == "visit" and now.get("tab") == tab


def _act(tab):
    return lambda deed, before, now: deed == tab


def _another_image(deed, before, now):
    moved = {"dataset", "image"} & set(changed(before, now))
    return deed == "question" and bool(moved)


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
            _judge_chance,
        ),
        Step(
            "attention",
            "explore",
            ("more", "less", "same"),
            _on_page(["attention"]),
            _judge_mass,
        ),
        Step("method", "explore", ("yes", "no"), _on_page(["method"]), _judge_ledger),
        Step(
            "inside",
            "inside",
            ("same", "other"),
            _visit("inside"),
            _judge_fact("other"),
        ),
        Step(
            "predict", "predict", ("sure", "unsure"), _act("predict"), _judge_fact(None)
        ),
        Step("doubt", "doubt", ("all", "some"), _act("doubt"), _judge_fact("some")),
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
