"""The evidence: the report as one page, and how many seeds it rests on."""

import threading
from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr

from medattn.study import report_fragment
from medattn_app.domain.texts import Words
from medattn_app.gradio_private import current_block
from medattn_app.service.conclusion import STUDIES
from medattn_app.service.context import Context

SNIPPET = """from medattn.study import read_results, contrast_table, write_report
contrasts = contrast_table(read_results())  # each with its interval and verdict
write_report("report.html")  # this page, for printing"""
_lock = threading.Lock()
_fragments: dict[str, tuple[str, dict[str, Any]]] = {}  # by their source


def build(context: Context) -> None:
    """Adds the tab's components and events; called inside its `gr.Tab`.

    Args:
        context: The page's `Context`.
    """
    words, tab = context.words, current_block()
    gr.HTML(f'<p class="ma-lead">{escape(words("evidence.lead"))}</p>')
    report = gr.HTML(
        f'<p class="ma-note">{escape(words("evidence.drawing"))}</p>',
        elem_id="ma-evidence",
        elem_classes="ma-tests-view",
    )

    def draw() -> str:
        return page_html(words)

    tab.select(
        draw,
        None,
        report,
        concurrency_limit=4,
        show_progress="hidden",
        api_visibility="private",
    )


def page_html(words: Words, **where: Any) -> str:
    """Writes the tab.

    Args:
        words: Of the page.
        **where: `source` of the results, as in `medattn.study.report_fragment`.

    Returns:
        HTML without scripts.
    """
    html, studies = fragment(**where)
    said = [seeds_text(study, seeds, words) for study, seeds in studies.items()]
    said = said or [words("evidence.none")]
    note = words("evidence.language")
    return (
        f'<p class="ma-say" data-testid="seeds">{escape(" ".join(said))}</p>'
        + (f'<p class="ma-note">{escape(note)}</p>' if note else "")
        + f'<article class="ma-report" lang="en" data-testid="report">{html}</article>'
        f"<details><summary>{escape(words('evidence.python'))}</summary>"
        f"<pre>{escape(SNIPPET)}</pre></details>"
    )


def seeds_text(study: str, seeds: Sequence[int], words: Words) -> str:
    """Says on how many seeds a study rests."""
    if study in STUDIES:
        study = words(f"study.{study}")
    if not seeds:
        return words("evidence.unfinished", study=study)
    if len(seeds) == 1:
        return words("evidence.seed", study=study)
    return words("evidence.seeds", study=study, seeds=len(seeds))


def fragment(**where: Any) -> tuple[str, dict[str, Any]]:
    """Draws the report, once a process: its figures take seconds."""
    key = str(where)
    with _lock:
        if key not in _fragments:
            _fragments[key] = report_fragment(**where)
        return _fragments[key]
