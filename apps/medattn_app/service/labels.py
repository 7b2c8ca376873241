"""What things are called in the page's language: images, classes, networks, ledgers."""

from medattn_app.domain.cells import Cell, NotShipped, what_is_shipped
from medattn_app.domain.methods import METHODS
from medattn_app.domain.state import DATASETS
from medattn_app.service.texts import Words

GRADES = ("mild", "moderate", "severe", "proliferative")  # of the retina, from 1


def class_name(dataset, label, words):
    """Names a class of a drawn data set, such as `"diseased"`.

    Args:
        dataset: A name in `DATASETS`.
        label: 0 or 1.
        words: The texts.
    """
    from medattn.data import find_card

    return words(f"class.{find_card(dataset).classes[label].replace(' ', '_')}")


def truth_text(case, words):
    """Says what a case shows, such as `"diseased (mild)"`; None where nobody knows."""
    if case.label is None:
        return None
    truth = class_name(case.dataset, case.label, words)
    if case.grade:
        truth += f" ({words(f'grade.{GRADES[case.grade - 1]}')})"
    return truth


def case_name(case, words):
    """Names an image, such as `"drawn fundus image 3"`."""
    if case.position is None:
        return words("case.own")
    kind = drawing_name(case.dataset, words)
    return words("case.drawn", kind=kind, position=case.position)


def drawing_name(dataset, words):
    """Names what a data set shows; one that is not the page's keeps its own name."""
    return words(f"drawing.{dataset}") if dataset in DATASETS else dataset


def cell_title(cell, words):
    """Names a network; a model of the host's keeps the title it has."""
    return cell.title_in(words) if isinstance(cell, Cell) else cell.title


def attention_title(attention, words):
    """Names a key of `ATTENTION`."""
    return words("explore.none") if attention == "none" else attention


def unit_text(method, words):
    """Says what one pixel's number of a method means."""
    return words(f"unit.{METHODS[method].measure}")


def ledger_line(audit, words):
    """Writes a ledger as a sum that can be checked by eye.

    In English it is the line of `medattn.explain.audit_line`, letter by letter.

    Args:
        audit: The ledger of one image, floats by name; or None.
        words: The texts.

    Returns:
        A line such as `"pixels 1.92 + biases 0.31 = logit 2.23"`; None without ledger.
    """
    if audit is None:
        return None
    line = words("ledger.pixels", value=_number(audit["relevance"]))
    for name, key in (("absorbed", "biases"), ("others", "others")):
        if name in audit:
            line += _term(words(f"ledger.{key}"), audit[name])
    if abs(audit.get("dropped", 0)) >= 0.005:
        line += _term(words("ledger.dropped"), audit["dropped"])
    line += " = " + words("ledger.logit", value=_number(audit["logit"]))
    if "reference" in audit:
        line += _term(words("ledger.reference"), -audit["reference"])
    if abs(audit["error"]) > 1e-3 * max(1.0, abs(audit["logit"])):
        return words("ledger.fails", line=line, error=f"{audit['error']:+.2g}")
    return line


def refusal(answer, words):
    """Says why an answer has no map.

    Args:
        answer: An `Answer`.
        words: The texts.

    Returns:
        A sentence, or None if there is a map.
    """
    method, cell = METHODS.get(answer.method), answer.cell
    ours = answer.refused and method is not None and isinstance(cell, Cell)
    if ours and not method.can_read(cell):
        return method.what_is_missing(cell, words)
    return library_sentence(answer.refused, words)


def library_sentence(text, words):
    """Translates the one refusal of the library that many networks meet.

    Args:
        text: What the library said, or None; anything else stays as it is.
        words: The texts.
    """
    if text and text.startswith(Words()("refused.only_relu")):
        for key in ("refused.only_relu", "refused.received"):
            text = text.replace(Words()(key), words(key))
    return text


def sentence_of(error, words):
    """Writes an error for the page: the library's own stay English."""
    if isinstance(error, NotShipped):
        return what_is_shipped(error.wanted, words)
    return str(error)


def _term(name, value):
    sign, size = ("+", value) if value >= 0 else ("−", -value)
    return f" {sign} {name} {size:.2f}"


def _number(value):
    return f"{value:.2f}".replace("-", "−")
