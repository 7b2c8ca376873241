"""The view, taken away: a picture with its caption, the numbers, a page of its own."""

import base64
import csv
import io
from dataclasses import dataclass, field
from html import escape

import numpy as np

from medattn import __version__
from medattn.figures import explanation_figure
from medattn_app.domain.cases import baselines
from medattn_app.domain.labels import (
    audit_text,
    case_name,
    cell_title,
    image_kind,
    sentence_of,
    truth_text,
    unit_text,
)
from medattn_app.domain.state import method_options, read_question
from medattn_app.domain.texts import Words
from medattn_app.service.answers import refusal
from medattn_app.service.grid import comparison_grid

HASH = 12  # digits of a hash that are shown
COLUMNS = (
    "image", "truth", "network", "dataset", "backbone", "attention", "regime", "seed",
    "initialisation", "shortcut", "method", "unit", "probability", "logit", "map_sum",
    "map_largest",
    "relevance_in_evidence", "random_map", "edge_detector", "strongest_pixel_inside",
    "ledger", "refused", "note", "weights_sha256", "medattn",
)  # fmt: skip
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto;
  padding: 0 1rem; color: #1c1917; background: #fff; }
img { width: 100%; height: auto; } strong { color: #b34700; }
table { border-collapse: collapse; font-size: 13px; display: block; overflow-x: auto; }
th, td { text-align: left; padding: 4px 8px; border-bottom: 1px solid #d6d3d1; }
pre { overflow-x: auto; background: #f5f5f4; padding: 1rem; }
@media (prefers-color-scheme: dark) { body { background: #1c1917; color: #f5f5f4; }
  pre { background: #292524; } strong { color: #f0883e; } }
"""
# What the page may load: nothing but the pictures that it carries itself.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class View:
    """What is on the page: one image, the network in the middle, those compared.

    Attributes:
        case: A `Case`.
        chosen: The `Answer` in the middle.
        others: The answers beside it, the chosen one among them.
        method: Name of the method.
        hashes: A dict from a cell to the hash of its weights.
        note: What must be said of the image wherever it goes, or an empty text.
    """

    case: object
    chosen: object
    others: tuple
    method: str
    hashes: dict = field(default_factory=dict)
    note: str = ""


def view_of(context, question):
    """Finds what a question of the page shows.

    Args:
        context: The page's `Context`.
        question: A dict as `medattn_app.domain.state.read_question` takes it.

    Returns:
        A `View`; networks that are not shipped are left out of the comparison.

    Raises:
        ValueError: If the question is none, or its network is not shipped.
    """
    asked, service = read_question(question or {}), context.service
    case, cell = service.case_of(asked), service.cell_of(asked)
    options = method_options(asked)
    chosen = service.answer(case, cell, asked.method, **options)
    _, _, beside = comparison_grid(service, asked)
    others = {
        one: service.answer(case, one, asked.method, **options)
        for one in beside.values()
        if one.backbone == asked.backbone
    }
    hashes = {cell: service.record(cell)["weights_sha256"] for cell in others}
    return View(case, chosen, tuple(others.values()), asked.method, hashes)


def caption(view, words):
    """Writes the lines below a picture.

    Args:
        view: A `View`.
        words: The page's `Words`.

    Returns:
        A list of lines: the network, the method, the ledger, the measures, the hash.
    """
    answer, cell = view.chosen, view.chosen.cell
    truth = truth_text(view.case, words)
    lines = [
        f"{cell_title(cell, words)} ({image_kind(cell.dataset, words)}); "
        + case_name(view.case, words)
        + (f", {truth}" if truth else ""),
        f"{words(f'method.{view.method}')}, {unit_text(view.method, words)}",
    ]
    lines += filter(None, (audit_text(answer.audit, words), refusal(answer, words)))
    reference = baselines(view.case)
    if "mass" in answer.quality and reference is not None:
        lines.append(
            words(
                "export.mass",
                mass=f"{answer.quality['mass']:.0%}",
                random=f"{reference[0]:.1%}",
                edges=f"{reference[1]:.0%}",
            )
        )
    lines += [view.note] if view.note else []
    weights = view.hashes.get(answer.cell, "")[:HASH]
    hashed = words("export.weights", version=__version__, weights=weights)
    lines.append(f"{hashed}; {words('page.warning')}")
    return lines


def picture_png(view, words):
    """Draws the image, its map, the scale and the caption.

    Returns:
        The bytes of a PNG file, without loss; its `Description` is the caption.
    """
    answer = view.chosen
    relevance = answer.relevance
    if relevance is None:
        relevance = np.zeros(view.case.pixels.shape[:2], np.float32)
    lines = caption(view, words)
    figure = explanation_figure(
        view.case.picture,
        relevance,
        title=f"P = {_chance(answer.probability)}",
        lines=lines,
        mask=view.case.evidence,
    )
    outlined = "_outlined" if view.case.has_evidence else ""
    for axes, key in zip(figure.axes, ("shown", f"moved{outlined}"), strict=False):
        axes.title.set_text(words(f"export.{key}"))
    unit = unit_text(view.method, words)
    ends = words("explore.against"), words("explore.for")
    figure.axes[-1].set_xlabel(f"{unit}: {ends[0]}  <  0  <  {ends[1]}")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Description": "\n".join(lines)})
    return stream.getvalue()


def numbers_csv(view, words=None):
    """Writes every number of the view, one row a network.

    Args:
        view: A `View`.
        words: The page's `Words`; English unless given.

    Returns:
        The text of a CSV file with the columns of `COLUMNS`.
    """
    stream = io.StringIO()
    table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    table.writeheader()
    for answer in view.others:
        table.writerow(_row(view, answer, words or Words()))
    return stream.getvalue()


def page_html(view, words, sentence=""):
    """Writes the view as one page that needs nothing else and runs no script.

    Args:
        view: A `View`.
        words: The page's `Words`.
        sentence: What the page concludes, as plain text.
    """
    uri = "data:image/png;base64," + base64.b64encode(picture_png(view, words)).decode()
    rows = [_row(view, answer, words) for answer in view.others]
    shown = [c for c in COLUMNS if any(row[c] not in ("", None) for row in rows)]
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in shown)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_shown(row[c]))}</td>" for c in shown) + "</tr>"
        for row in rows
    )
    lines = "".join(f"<p>{escape(line)}</p>" for line in caption(view, words))
    title = cell_title(view.chosen.cell, words)
    title = escape(f"{title}: {case_name(view.case, words)}")
    code = snippet(view)
    python = f"<pre>{escape(code)}</pre>" if code else ""
    concluded = f"<p><b>{escape(sentence)}</b></p>" if sentence else ""
    return (
        f'<!doctype html>\n<html lang="{words.language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>medattn: {title}</title><style>{STYLE}</style></head><body>"
        f"<h1>{title}</h1><p><strong>{escape(words('page.warning'))}</strong></p>"
        f'<img alt="{escape(caption(view, words)[0])}" src="{uri}">{concluded}{lines}'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"{python}</body></html>\n"
    )


def snippet(view):
    """Writes the lines of Python that give the numbers again; empty for an upload."""
    cell, case = view.chosen.cell, view.case
    if case.position is None or not hasattr(cell, "model_name"):
        return ""
    return (
        f"model = {cell.code}\n"
        f'images = draw_images("{case.dataset}", [{case.position}])["image"] / 255.0\n'
        f'analyzer = create_analyzer("{view.method}", model, '
        'neuron_selection_mode="index")\n'
        "relevance = analyzer.analyze(images, 1)"
    )


KINDS = {
    "png": ("image/png", lambda view, words: picture_png(view, words)),
    "csv": ("text/csv", lambda view, words: numbers_csv(view, words).encode()),
    "html": ("text/html", lambda view, words: page_html(view, words).encode()),
}
SAVE = """(file) => { if (!file) return; const link = document.createElement("a");
  link.href = file.uri; link.download = file.name; document.body.append(link);
  link.click(); link.remove(); }"""


def pack(view, words, kind):
    """Packs an export for the browser, so that no file is left on the server.

    Returns:
        A dict with `name`, of harmless letters only, and `uri`.
    """
    media, make = KINDS[kind]
    content = base64.b64encode(make(view, words)).decode()
    cell = view.chosen.cell
    parts = [getattr(cell, key, "") for key in ("dataset", "backbone", "attention")]
    if not getattr(cell, "is_plain", True):
        parts.append(cell.initialisation)
        parts.append("" if cell.shortcut is None else f"shortcut{cell.shortcut:g}")
    name = "-".join(str(part) for part in ["medattn", *parts, view.method] if part)
    safe = "".join(sign if sign.isalnum() or sign in "-." else "_" for sign in name)
    return {
        "name": f"{safe[:80]}.{kind}",
        "uri": f"data:{media};base64,{content}",
    }


def build(context):
    """Builds the row of buttons that export the question on the page."""
    add_buttons(
        context.words,
        lambda asked: view_of(context, asked),
        [context.shared["question"]],
        "ma-export",
    )


def add_buttons(words, find, inputs, element):
    """Adds a row of buttons, one for each kind of file.

    Args:
        words: The page's `Words`.
        find: A function from the values of `inputs` to a `View`; a ValueError of it is
            shown as a sentence.
        inputs: A list of components.
        element: What the buttons' ids begin with.
    """
    import gradio as gr

    with gr.Row(elem_classes="ma-export"):
        for kind, key in (("png", "picture"), ("csv", "numbers"), ("html", "page")):
            button = gr.Button(
                words(f"export.{key}"), size="sm", elem_id=f"{element}-{kind}"
            )
            file = gr.JSON(visible=False)

            def take(*asked, kind=kind):
                try:
                    return pack(find(*asked), words, kind)
                except ValueError as error:
                    said = sentence_of(error, words)
                    raise gr.Error(escape(said)) from error

            button.click(
                take,
                inputs,
                file,
                concurrency_id="networks",
                api_visibility="private",
                show_progress="hidden",
            ).then(None, file, None, js=SAVE)


def _row(view, answer, words):
    cell = answer.cell
    reference = baselines(view.case) or (None, None)
    relevance = answer.relevance
    return {
        "image": case_name(view.case, words),
        "truth": truth_text(view.case, words),
        "network": cell_title(cell, words),
        **{
            key: getattr(cell, key, None)
            for key in ("dataset", "backbone", "attention", "regime", "seed")
        },
        "initialisation": getattr(cell, "initialisation", None),
        "shortcut": getattr(cell, "shortcut", None),
        "method": view.method,
        "unit": unit_text(view.method, words),
        "probability": answer.probability,
        "logit": answer.logit,
        "map_sum": None if relevance is None else float(relevance.sum()),
        "map_largest": None if relevance is None else float(np.abs(relevance).max()),
        "relevance_in_evidence": answer.quality.get("mass"),
        "random_map": reference[0],
        "edge_detector": reference[1],
        "strongest_pixel_inside": answer.quality.get("pointing"),
        "ledger": audit_text(answer.audit, words),
        "refused": refusal(answer, words),
        "note": view.note,
        "weights_sha256": view.hashes.get(cell, ""),
        "medattn": __version__,
    }


def _shown(value):
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _chance(share):
    if share < 0.005:
        return "< 0.01"
    return "> 0.99" if share > 0.995 else f"{share:.2f}"
