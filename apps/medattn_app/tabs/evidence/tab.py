"""The evidence: the report as one calm page, and how many seeds it rests on."""

import threading
from html import escape

from medattn.study import report_fragment
from medattn_app.service.conclusion import STUDIES

SNIPPET = """from medattn.study import read_results, contrast_table, write_report
contrasts = contrast_table(read_results())  # each with its interval and verdict
write_report("report.html")  # this page, for printing"""
_drawing = threading.Lock()
_drawn = {}


def build(context):
    """Adds the tab's components and events; called inside its `gr.Tab`.

    Args:
        context: The page's `Context`.
    """
    import gradio as gr
    from gradio.context import Context as Here

    words, tab = context.words, Here.block
    gr.HTML(f'<p class="ma-lead">{escape(words("evidence.lead"))}</p>')
    report = gr.HTML(
        f'<p class="ma-note">{escape(words("evidence.drawing"))}</p>',
        elem_id="ma-evidence",
        elem_classes="ma-tests-view",
    )
    quiet = dict(show_progress="hidden", api_visibility="private")

    def show():
        return page_html(words)

    tab.select(show, None, report, concurrency_limit=4, **quiet)


def page_html(words, **where):
    """Writes the tab.

    Args:
        words: Of the page.
        **where: `source` of the results, as in `medattn.study.report_fragment`.

    Returns:
        HTML without scripts.
    """
    html, seeds = fragment(**where)
    said = [seeds_text(study, held, words) for study, held in seeds.items()]
    said = said or [words("evidence.none")]
    note = words("evidence.language")
    return (
        f'<p class="ma-say" data-testid="seeds">{escape(" ".join(said))}</p>'
        + (f'<p class="ma-note">{escape(note)}</p>' if note else "")
        + f'<article class="ma-report" lang="en" data-testid="report">{html}</article>'
        f"<details><summary>{escape(words('evidence.python'))}</summary>"
        f"<pre>{escape(SNIPPET)}</pre></details>"
    )


def seeds_text(study, held, words):
    """Says on how many seeds a study rests."""
    if study in STUDIES:
        study = words(f"study.{study}")
    if not held:
        return words("evidence.unfinished", study=study)
    if len(held) == 1:
        return words("evidence.seed", study=study)
    return words("evidence.seeds", study=study, seeds=len(held))


def fragment(**where):
    """Draws the report, once a process: its figures take seconds."""
    key = str(where)
    with _drawing:
        if key not in _drawn:
            _drawn[key] = report_fragment(**where)
        return _drawn[key]
