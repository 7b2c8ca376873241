"""Quizzes with feedback for every answer, and predictions set beside what came."""

import html
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "quizzes"
LETTERS = "abcdef"


class Quiz:
    """Five questions that answer back: a click opens what an answer is worth.

    It is plain HTML without scripts, so that it works in Jupyter, in Colab and on a
    page; printed, it is text, and `answer` gives the feedback.

    Attributes:
        name: Of the tutorial, such as `"07_lrp_deeplift"`.
        questions: A list of dicts: `question`, and `choices`, each with `text`,
            `explain` and, where it is right, `correct`.
    """

    def __init__(self, name, questions):
        self.name = name
        self.questions = questions

    def answer(self, question, letter):
        """Says whether an answer is right, and why.

        Args:
            question: Number of the question, from 1.
            letter: Letter of the answer, `"a"` to `"d"`.

        Returns:
            The feedback, a sentence or two.
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

    def __repr__(self):
        lines = []
        for number, each in enumerate(self.questions, 1):
            lines.append(f"{number}. {each['question']}")
            choices = zip(LETTERS, each["choices"], strict=False)
            lines += [f"   {letter}) {choice['text']}" for letter, choice in choices]
        lines.append(f'Ask: quiz("{self.name}").answer(1, "a")')
        return "\n".join(lines)

    def _repr_html_(self):
        parts = ["<p>Choose an answer, then click it.</p>"]
        for number, each in enumerate(self.questions, 1):
            question = html.escape(each["question"])
            parts.append(f"<p><strong>{number}. {question}</strong></p>")
            for letter, choice in zip(LETTERS, each["choices"], strict=False):
                text = html.escape(choice["text"])
                said = html.escape(_feedback(choice))
                parts.append(
                    f"<details><summary>{letter}) {text}</summary>"
                    f"<p>{said}</p></details>"
                )
        return "\n".join(parts)


def list_quizzes():
    """Returns the names that `quiz` takes."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def quiz(name):
    """Opens the quiz of a tutorial.

    Args:
        name: One of `list_quizzes()`.

    Returns:
        A `Quiz`, which a notebook shows as a page that answers back.

    Raises:
        ValueError: If there is no such quiz.
    """
    if name not in list_quizzes():
        raise ValueError(
            f"Unknown quiz {name!r}. Expected one of {list_quizzes()}. "
            f"Received: name={name!r}"
        )
    return Quiz(name, _read(name))


def reveal(guess, measured, *, what, unit="", digits=1):
    """Sets a prediction beside what was measured.

    Args:
        guess: What the learner predicted, a number; None or `...` is no prediction.
        measured: What came.
        what: Name of the quantity.
        unit: Its unit, written behind the numbers.
        digits: Places behind the point.

    Returns:
        A line of text.
    """
    unit = f" {unit}" if unit else ""
    came = f"{what}: measured {measured:.{digits}f}{unit}"
    if guess is None or guess is ...:
        return f"{came}; you predicted nothing, so nothing could surprise you."
    return f"{came}; you predicted {guess:.{digits}f}{unit}, off by " + (
        f"{abs(guess - measured):.{digits}f}{unit}."
    )


def _feedback(choice):
    verdict = "Right." if choice.get("correct") else "Not so."
    return f"{verdict} {choice['explain']}"


@lru_cache(maxsize=32)
def _read(name):
    import yaml

    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
