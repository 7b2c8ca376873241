"""What things are called in the page's language: images, classes, networks, numbers."""

from collections.abc import Mapping
from typing import Protocol

from medattn_app.domain.cases import Case
from medattn_app.domain.catalogue import NotShipped, what_is_shipped
from medattn_app.domain.cells import Cell
from medattn_app.domain.constants import DATASETS
from medattn_app.domain.methods import METHODS
from medattn_app.domain.texts import Words

GRADES = ("mild", "moderate", "severe", "proliferative")  # of the retina, from 1


class Titled(Protocol):
    """A network of the host's, which has its title already."""

    @property
    def title(self) -> str: ...


def class_name(dataset: str, label: int, words: Words) -> str:
    """Names a class of a synthetic data set, such as `"diseased"`.

    Args:
        dataset: A name in `DATASETS`.
        label: 0 or 1.
        words: The texts.
    """
    from medattn.data import find_card

    return words(f"class.{find_card(dataset).classes[label].replace(' ', '_')}")


def truth_text(case: Case, words: Words) -> str | None:
    """Says what a case shows, such as `"diseased (mild)"`; None where nobody knows."""
    if case.label is None:
        return None
    truth = class_name(case.dataset, case.label, words)
    if case.grade:
        truth += f" ({words(f'grade.{GRADES[case.grade - 1]}')})"
    return truth


def case_name(case: Case, words: Words) -> str:
    """Names an image, such as `"drawn fundus image 3"`."""
    if case.position is None:
        return words("case.uploaded")
    kind = image_kind(case.dataset, words)
    return words("case.drawn", kind=kind, position=case.position)


def image_kind(dataset: str, words: Words) -> str:
    """Names what a data set shows; one that is not the page's keeps its own name."""
    return words(f"drawing.{dataset}") if dataset in DATASETS else dataset


def cell_title(cell: Cell | Titled, words: Words) -> str:
    """Names a network; a model of the host's keeps the title it has."""
    return cell.title_in(words) if isinstance(cell, Cell) else cell.title


def attention_title(attention: str, words: Words) -> str:
    """Names a key of `ATTENTION`."""
    return words("explore.none") if attention == "none" else attention


def unit_text(method: str, words: Words) -> str:
    """Says what one pixel's number of a method means."""
    return words(f"unit.{METHODS[method].measure}")


def probability_text(probability: float) -> str:
    """Writes a probability, never more certain than it is."""
    if 0 < probability < 0.005:
        return "< .01"
    if 0.995 <= probability < 1:
        return "> .99"
    return f"{probability:.2f}".lstrip("0") if probability < 1 else "1.00"


def percent(fraction: float) -> str:
    """Writes a fraction in percent; small ones with one more digit."""
    digits = 1 if 0 < fraction < 0.0995 else 0
    return f"{100 * fraction:.{digits}f} %"


def audit_text(audit: Mapping[str, float] | None, words: Words) -> str | None:
    """Writes a conservation audit as a sum that can be checked by eye.

    In English it is the line of `medattn.explain.audit_line`, letter by letter.

    Args:
        audit: The audit of one image, in logits; or None.
        words: The texts.

    Returns:
        A line such as `"pixels 1.92 + biases 0.31 = logit 2.23"`; None without audit.
    """
    if audit is None:
        return None
    from medattn.explain import audit_digits, audit_terms

    digits = audit_digits(audit)
    line = words("audit.pixels", value=_number(audit["relevance"], digits))
    for name, value in audit_terms(audit):
        line += _term(words(f"audit.{name}"), value, digits)
    line += " = " + words("audit.logit", value=_number(audit["logit"], digits))
    if "reference" in audit:
        line += _term(words("audit.reference"), -audit["reference"], digits)
    if abs(audit["error"]) > 1e-3 * max(1.0, abs(audit["logit"])):
        return words("audit.fails", line=line, error=f"{audit['error']:+.2g}")
    return line


def library_sentence(text: str | None, words: Words) -> str | None:
    """Translates the one refusal of the library that many networks meet.

    Args:
        text: What the library said, or None; anything else stays as it is.
        words: The texts.
    """
    if text and text.startswith(Words()("refused.only_relu")):
        for key in ("refused.only_relu", "refused.received"):
            text = text.replace(Words()(key), words(key))
    return text


def sentence_of(error: Exception, words: Words) -> str:
    """Writes an error for the page: the library's own stay English."""
    if isinstance(error, NotShipped):
        return what_is_shipped(error.wanted, words)
    return str(error)


def _term(name: str, value: float, digits: int) -> str:
    sign, size = ("+", value) if value >= 0 else ("−", -value)
    return f" {sign} {name} {size:.{digits}f}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")
