"""Quizzes with feedback for every answer, and predictions beside measured values."""

import html
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import EllipsisType
from typing import Any

FOLDER = Path(__file__).parent / "quizzes"
LETTERS = "abcdef"


class Quiz:
    """Five questions; a click on an answer opens its feedback.

    A notebook shows it as HTML without scripts, which works in Jupyter, in Colab and on
    the site. Printed, it is text, and `answer` gives the feedback.

    Attributes:
        name: Name of the tutorial, such as `"07_lrp_deeplift"`.
        questions: A list of dicts: `question`, and `choices`, each with `text`,
            `explain` and, where it is right, `correct`.
    """

    def __init__(self, name: str, questions: Sequence[Mapping[str, Any]]):
        self.name = name
        self.questions = questions

    def answer(self, question: int, letter: str) -> str:
        """Returns whether an answer is right, and why.

        Args:
            question: Number of the question, from 1.
            letter: Letter of the answer, `"a"` to `"d"`.

        Returns:
            The feedback, a sentence or two.

        Raises:
            ValueError: If there is no such question or answer.
        """
        if not 1 <= question <= len(self.questions):
            raise ValueError(
                "There is no such question. Expected a number from 1 to "
                f"{len(self.questions)}. Received: question={question!r}"
            )
        choices = self.questions[question - 1]["choices"]
        letters = LETTERS[: len(choices)]
        if letter not in tuple(letters):
            raise ValueError(
                f"There is no such answer. Expected one of {list(letters)}. "
                f"Received: letter={letter!r}"
            )
        return _feedback(choices[letters.index(letter)])

    def __repr__(self) -> str:
        lines = []
        for number, question in enumerate(self.questions, 1):
            lines.append(f"{number}. {question['question']}")
            choices = zip(LETTERS, question["choices"], strict=False)
            lines += [f"   {letter}) {choice['text']}" for letter, choice in choices]
        lines.append(f'Answer with: quiz("{self.name}").answer(1, "a")')
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = ["<p>Choose an answer, then click it.</p>"]
        for number, question in enumerate(self.questions, 1):
            title = html.escape(question["question"])
            parts.append(f"<p><strong>{number}. {title}</strong></p>")
            for letter, choice in zip(LETTERS, question["choices"], strict=False):
                text = html.escape(choice["text"])
                feedback = html.escape(_feedback(choice))
                parts.append(
                    f"<details><summary>{letter}) {text}</summary>"
                    f"<p>{feedback}</p></details>"
                )
        return "\n".join(parts)


def list_quizzes() -> list[str]:
    """Returns the names that `quiz` takes."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def quiz(name: str) -> Quiz:
    """Returns the quiz of a tutorial.

    Args:
        name: One of `list_quizzes()`.

    Returns:
        A `Quiz`, which a notebook shows as HTML.

    Raises:
        ValueError: If there is no such quiz.
    """
    if name not in list_quizzes():
        raise ValueError(
            f"Unknown quiz {name!r}. Expected one of {list_quizzes()}. "
            f"Received: name={name!r}"
        )
    return Quiz(name, _read(name))


def reveal(
    guess: float | EllipsisType | None,
    measured: float,
    *,
    what: str,
    unit: str = "",
    digits: int = 1,
) -> str:
    """Compares the learner's prediction with the measured value.

    Args:
        guess: The prediction; None or `...` if there is none.
        measured: The measured value.
        what: Name of the quantity.
        unit: Its unit, written after the numbers.
        digits: Digits after the decimal point.

    Returns:
        A line of text.
    """
    unit = f" {unit}" if unit else ""
    line = f"{what}: measured {measured:.{digits}f}{unit}"
    if guess is None or isinstance(guess, EllipsisType):
        return f"{line}; you predicted nothing."
    error = f"{abs(guess - measured):.{digits}f}{unit}"
    return f"{line}; you predicted {guess:.{digits}f}{unit}, off by {error}."


def _feedback(choice: Mapping[str, Any]) -> str:
    verdict = "Right." if choice.get("correct") else "Wrong."
    return f"{verdict} {choice['explain']}"


@lru_cache(maxsize=32)
def _read(name: str) -> list[dict[str, Any]]:
    import yaml

    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
