"""The lesson as HTML: what is next, what was found, and the glossary."""

from html import escape

from medattn_app.domain.texts import Words
from medattn_app.tabs.lesson.path import Path, score
from medattn_app.tabs.lesson.steps import Step


def intro_html(words: Words, lesson: str) -> str:
    """Writes the title of a lesson and how it goes."""
    return (
        f"<h2>{escape(words(f'lesson.{lesson}'))}</h2>"
        f"<p>{escape(words('lesson.intro'))}</p>"
    )


def bar_html(words: Words, path: Path, done: Step | None = None) -> str:
    """Writes the line above the tabs: what was just found, and what is next."""
    parts = []
    if done is not None:
        parts.append(after_html(words, path, done))
    step = path.step
    if step is None:
        right, judged = score(path)
        end = words("lesson.end", all=len(path.steps), right=right, judged=judged)
        parts.append(f'<p data-testid="lesson-end"><b>{escape(end)}</b></p>')
    else:
        at = words("lesson.bar", at=path.at + 1, all=len(path.steps))
        title = escape(words(f"lesson.{step.name}.title"))
        what = f"lesson.{step.name}.task" if path.answered else "lesson.first_answer"
        parts.append(
            f'<p data-testid="lesson-next"><b>{escape(at)}: {title}.</b> '
            f"{escape(words(what))}</p>"
        )
    return f'<div role="status" class="ma-lesson-line">{"".join(parts)}</div>'


def task_html(words: Words, step: Step) -> str:
    """Writes what is to be done, once the question is answered."""
    return (
        f"<p><b>{escape(words('lesson.now_do'))}</b> "
        f"{escape(words(f'lesson.{step.name}.task'))}</p>"
    )


def after_html(words: Words, path: Path, step: Step) -> str:
    """Writes what the learner expected, what it was, and why."""
    key = f"lesson.{step.name}"
    said, right = dict(path.said)[step.name], dict(path.right)[step.name]
    numbers = dict(dict(path.after)[step.name])
    text = words(f"{key}.after", **numbers)
    lines = [words("lesson.you_said", said=words(f"{key}.{said}"))]
    if right is not None:
        lines.append(words("lesson.it_was", right=words(f"{key}.{right}")))
        lines.append(
            words("lesson.came_true" if said == right else "lesson.came_other")
        )
    elif "?" in numbers.values():
        lines.append(words("lesson.not_measured"))
        text = ""
    return (
        f'<p class="ma-lesson-after" data-testid="after-{step.name}">'
        f"<b>✓ {escape(words(f'{key}.title'))}.</b> {escape(' '.join(lines))} "
        f"{escape(text)}</p>"
    )


def glossary_html(words: Words) -> str:
    """Writes every term with its sentence, in the order of the alphabet."""
    terms = sorted(words.glossary().items(), key=lambda pair: pair[1][0].casefold())
    entries = "".join(
        f'<dt id="ma-word-{key}">{escape(name)}</dt><dd>{escape(sentence)}</dd>'
        for key, (name, sentence) in terms
    )
    return f'<dl class="ma-words">{entries}</dl>'
