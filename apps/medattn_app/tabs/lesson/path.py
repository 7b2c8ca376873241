"""How far a learner is on the guided path: pure state, no page."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from medattn_app.service.context import Context
from medattn_app.tabs.lesson.steps import LESSONS, STEPS, Step


@dataclass(frozen=True)
class Path:
    """A learner's way through one lesson.

    Attributes:
        lesson: A key of `LESSONS`.
        at: Index of the step that is next; the number of steps when all is done.
        said: What the learner predicted, by step.
        right: What was measured, by step: the right option, or None.
        after: The numbers that were measured, by step.
        question: The last question that the page showed.
    """

    lesson: str
    at: int = 0
    said: tuple[Any, ...] = ()
    right: tuple[Any, ...] = ()
    after: tuple[Any, ...] = ()
    question: tuple[Any, ...] = ()

    @property
    def steps(self) -> list[Step]:
        """The steps of the lesson, in order."""
        return [STEPS[name] for name in LESSONS[self.lesson]]

    @property
    def step(self) -> Step | None:
        """The step that is next, or None at the end."""
        return self.steps[self.at] if self.at < len(self.steps) else None

    @property
    def answered(self) -> bool:
        """Whether the next step's question was answered, so that an action counts."""
        return self.step is not None and self.step.name in dict(self.said)


def begin(lesson: str = "first") -> Path:
    """Begins a lesson.

    Args:
        lesson: A key of `LESSONS`.

    Returns:
        A `Path`.
    """
    if lesson not in LESSONS:
        raise ValueError(
            f"There is no lesson {str(lesson)[:40]!r}. Expected one of "
            f"{list(LESSONS)}. Received: lesson={str(lesson)[:40]!r}"
        )
    return Path(lesson)


def predict(path: Path, name: str, option: object) -> Path:
    """Notes what a learner predicts; a step that is done keeps its first answer."""
    step = STEPS.get(name)
    if step is None or option not in step.options:
        raise ValueError(
            f"There is no such answer. Expected one of "
            f"{list(step.options) if step else list(STEPS)}. Received: "
            f"{str(option)[:40]!r}"
        )
    if name in dict(path.right):
        return path
    said = dict(path.said) | {name: option}
    return replace(path, said=tuple(said.items()))


def observe(
    path: Path, context: Context, action: str, now: Mapping[str, Any]
) -> tuple[Path, Step | None]:
    """Notes what a learner did.

    Args:
        path: How far the learner was.
        context: The page's `Context`, asked for what was measured.
        action: `"question"` (a choice was changed), `"visit"` (a tab was opened), or
            the name of a tab whose own action was done.
        now: The page's question, with the open `"tab"`.

    Returns:
        `(path, done)`: the new `Path`, and the `Step` that this completed, or None.
        Nothing counts before its question was answered.
    """
    before = dict(path.question) or now
    path = replace(path, question=tuple(now.items()))
    step = path.step
    if step is None or not path.answered or not step.done(action, before, now):
        return path, None
    right, numbers = step.judge(context, before, now)
    path = replace(
        path,
        at=path.at + 1,
        right=(*path.right, (step.name, right)),
        after=(*path.after, (step.name, tuple(numbers.items()))),
    )
    return path, step


def score(path: Path) -> tuple[int, int]:
    """Counts `(right, judged)`: predictions that came true, of those measured."""
    said = dict(path.said)
    judged = {name: right for name, right in path.right if right is not None}
    return sum(said.get(name) == right for name, right in judged.items()), len(judged)
