"""Sections as one page without outside files: HTML, and Markdown beside it."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from medattn.figures import charts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { color-scheme: light; }
body { font: 17px/1.55 Georgia, serif; color: #1d1d1b; background: #fbfaf7;
  max-width: 1080px; margin: 2.5rem auto; padding: 0 1.5rem; }
h1 { font-size: 2rem; line-height: 1.2; margin-bottom: .3em; text-wrap: balance; }
h2 { font-size: 1.4rem; margin-top: 2.6em; border-top: 1px solid #d8d3c5;
  padding-top: .9em; }
p { max-width: 46em; }
nav { font-size: .95rem; } nav a { margin-right: 1.2em; color: #0a5c8f; }
h3 { font-size: 1.15rem; margin: 2em 0 .4em; }
figure { margin: 1.6em 0; } figure svg { width: 100%; height: auto; }
figure svg.many { min-width: 640px; }
figcaption { font-size: .9rem; color: #55524a; }
.wide { overflow-x: auto; margin: .8em 0; }
table { border-collapse: collapse; font-size: .86rem; 
  font-variant-numeric: tabular-nums; font-family: system-ui, sans-serif; }
th, td { text-align: left; padding: .28em .8em .28em 0;
  border-bottom: 1px solid #e4e0d4; vertical-align: top; }
th { font-weight: 600; } td.short { white-space: nowrap; }
summary { cursor: pointer; color: #0a5c8f; }
footer { margin: 4em 0 2em; font-size: .9rem; color: #55524a; }
@media (max-width: 700px) { body { font-size: 16px; margin: 1.2rem auto;
  padding: 0 1rem; } h1 { font-size: 1.5rem; } }
@media print { body { background: white; } h2 { break-after: avoid; } }
"""
SHORT = 28  # characters of a cell that is not broken into lines
PIXELS = 106  # of an inch of a figure, at most
WARNING = "Networks trained on drawings. Not clinically validated; not for diagnosis."


@dataclass(frozen=True)
class Table:
    """Heads and lines of text; `folded` hides it behind that title on the page."""

    heads: Sequence[str]
    lines: Sequence[Sequence[str]]
    folded: str = ""


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, figures with captions, tables.

    Those of level 3 belong to the section of level 2 before them.
    """

    title: str
    text: list[str]
    figures: "list[tuple[str, Figure]]" = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    level: int = 2


def html_body(sections: Sequence[Section]) -> str:
    """Writes sections, after links to them, as HTML for use within a page."""
    anchors = _anchors(sections)
    links = "".join(
        f'<a href="#{anchor}">{html.escape(section.title)}</a> '
        for anchor, section in zip(anchors, sections, strict=True)
        if section.level == 2
    )
    body = "\n".join(map(_html_section, sections, anchors))
    return f"<nav>{links}</nav>\n{body}"


def html_page(title: str, sections: Sequence[Section]) -> str:
    """Writes sections as one self-contained HTML page."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>\n"
        f"<h1>{html.escape(title)}</h1>\n{html_body(sections)}\n"
        f"<footer>{WARNING}</footer></body></html>\n"
    )


def markdown_page(title: str, sections: Sequence[Section]) -> str:
    """Writes the same sections as Markdown, without the figures."""
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"{'#' * section.level} {section.title}", *section.text]
        parts += [f"*Figure on the page: {caption}*" for caption, _ in section.figures]
        for table in section.tables:
            lines = [table.heads, ["---"] * len(table.heads), *table.lines]
            parts.append(
                "\n".join(
                    "| " + " | ".join(c.replace("|", "/") for c in line) + " |"
                    for line in lines
                )
            )
    return "\n\n".join([*parts, WARNING]) + "\n"


def points(mean: float, low: float, high: float, unit: float = 100) -> str:
    """Writes a difference with its interval in points: `+1.20 [−0.31, +2.71]`."""
    text = f"{unit * mean:+.2f} [{unit * low:+.2f}, {unit * high:+.2f}]"
    return text.replace("-", "−")


def _html_section(section: Section, anchor: str) -> str:
    head = f"h{section.level}"
    parts = [f'<{head} id="{anchor}">{html.escape(section.title)}</{head}>']
    parts += [f"<p>{_code(html.escape(text))}</p>" for text in section.text]
    for number, (caption, figure) in enumerate(section.figures):
        # Ids within one drawing must differ from those of the next on the same page.
        drawing = _prefix_ids(charts.svg(figure), f"{anchor}-{number}-")
        widest = f'<svg style="max-width: {PIXELS * figure.get_figwidth():.0f}px"'
        if len(figure.axes) > 2:  # too wide for a phone: it scrolls
            widest += ' class="many"'
        drawing = drawing.replace("<svg", widest, 1)
        parts.append(
            f'<figure><div class="wide" role="img" tabindex="0" '
            f'aria-label="{html.escape(caption)}">{drawing}</div>'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )
    parts += [_html_table(table) for table in section.tables]
    return "\n".join(parts)


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(str(text))}</th>" for text in table.heads)
    lines = "".join(
        "<tr>" + "".join(map(_html_cell, line)) + "</tr>" for line in table.lines
    )
    # Focusable, so that the keyboard can scroll it where it is too wide.
    content = (
        f'<div class="wide" tabindex="0"><table><tr>{head}</tr>{lines}</table></div>'
    )
    if table.folded:
        folded = html.escape(table.folded)
        return f"<details><summary>{folded}</summary>{content}</details>"
    return content


def _html_cell(text: str) -> str:
    short = ' class="short"' if len(str(text)) <= SHORT else ""
    return f"<td{short}>{html.escape(str(text))}</td>"


def _prefix_ids(drawing: str, prefix: str) -> str:
    drawing = re.sub(r'\bid="', f'id="{prefix}', drawing)
    drawing = re.sub(r'href="#', f'href="#{prefix}', drawing)
    return drawing.replace("url(#", f"url(#{prefix}")


def _code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)


def _anchors(sections: Sequence[Section]) -> list[str]:
    """Names the sections for links, uniquely though two titles may be the same."""
    found: list[str] = []
    for section in sections:
        name = re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-")
        seen = sum(1 for other in found if other.rpartition(".")[0] == name)
        found.append(f"{name}.{seen}")
    return found
