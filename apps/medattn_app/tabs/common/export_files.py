"""Exports as files: a picture with its caption, the numbers, a page of its own."""

import base64
import csv
import io
from collections.abc import Callable
from html import escape

import numpy as np

from medattn.figures import explanation_figure
from medattn_app.domain.cells import Cell
from medattn_app.domain.labels import case_name, cell_title, unit_text
from medattn_app.domain.texts import Words
from medattn_app.tabs.common.export_view import (
    COLUMNS,
    View,
    caption,
    number_row,
    snippet,
)

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


def pack(view: View, words: Words, kind: str) -> dict[str, str]:
    """Packs an export for the browser, so that no file is left on the server.

    Args:
        view: What is exported.
        words: The texts.
        kind: A key of `KINDS`.

    Returns:
        A dict with `name`, of harmless letters only, and `uri`.
    """
    media, make = KINDS[kind]
    content = base64.b64encode(make(view, words)).decode()
    cell = view.chosen.cell
    parts = [getattr(cell, key, "") for key in ("dataset", "backbone", "attention")]
    if isinstance(cell, Cell) and not cell.is_plain:
        parts.append(cell.initialisation)
        parts.append("" if cell.shortcut is None else f"shortcut{cell.shortcut:g}")
    name = "-".join(str(part) for part in ["medattn", *parts, view.method] if part)
    safe = "".join(sign if sign.isalnum() or sign in "-." else "_" for sign in name)
    return {
        "name": f"{safe[:80]}.{kind}",
        "uri": f"data:{media};base64,{content}",
    }


def picture_png(view: View, words: Words) -> bytes:
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
        title=f"P = {_probability(answer.probability)}",
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


def numbers_csv(view: View, words: Words | None = None) -> str:
    """Writes every number of the view, one row a network.

    Args:
        view: What is exported.
        words: The texts; English unless given.

    Returns:
        The text of a CSV file with the columns of `COLUMNS`.
    """
    stream = io.StringIO()
    table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    table.writeheader()
    for answer in view.others:
        table.writerow(number_row(view, answer, words or Words()))
    return stream.getvalue()


def page_html(view: View, words: Words, sentence: str = "") -> str:
    """Writes the view as one page that needs nothing else and runs no script.

    Args:
        view: What is exported.
        words: The texts.
        sentence: What the page concludes, as plain text.
    """
    uri = "data:image/png;base64," + base64.b64encode(picture_png(view, words)).decode()
    rows = [number_row(view, answer, words) for answer in view.others]
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


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _probability(value: float) -> str:
    if value < 0.005:
        return "< 0.01"
    return "> 0.99" if value > 0.995 else f"{value:.2f}"


# By the ending of the file's name: its media type, and the function that writes it.
KINDS: dict[str, tuple[str, Callable[[View, Words], bytes]]] = {
    "png": ("image/png", picture_png),
    "csv": ("text/csv", lambda view, words: numbers_csv(view, words).encode()),
    "html": ("text/html", lambda view, words: page_html(view, words).encode()),
}
