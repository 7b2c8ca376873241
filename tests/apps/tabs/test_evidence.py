"""The evidence: the shipped results, how many seeds, and nothing stronger."""

import re

import pytest

from medattn_app.domain.texts import Words
from medattn_app.tabs.evidence import tab as evidence


@pytest.fixture
def drawn(monkeypatch):
    """Counts how often the report is drawn, and draws none."""
    calls = []

    def report(**where):
        calls.append(where)
        return '<h2 id="as-published">As published</h2>', {"micro": [0, 1, 2]}

    monkeypatch.setattr(evidence, "report_fragment", report)
    monkeypatch.setattr(evidence, "_fragments", {})
    return calls


def test_the_report_is_drawn_once_a_process(drawn):
    first = evidence.page_html(Words())
    assert evidence.page_html(Words()) == first and len(drawn) == 1
    evidence.page_html(Words(), source="elsewhere")
    assert len(drawn) == 2


@pytest.mark.parametrize(
    ("held", "text"),
    [
        ([], "no finished trial"),
        ([4], "1 seed. From one seed nothing can be concluded"),
        ([0, 1, 2], "3 seeds"),
    ],
)
def test_the_page_says_on_how_many_seeds_it_rests(held, text):
    assert text in evidence.seeds_text("micro", held, Words())
    assert evidence.seeds_text("micro", held, Words("pt")).startswith("micro: ")


def test_names_from_a_results_file_are_escaped(monkeypatch):
    report = ("", {"<script>": [0, 1]})
    monkeypatch.setattr(evidence, "_fragments", {"{}": report})
    assert "<script" not in evidence.page_html(Words())


def test_the_page_draws_the_published_figure_and_the_costs(tmp_path):
    html = evidence.page_html(Words(), source=tmp_path)
    assert "only the published study is drawn" in html
    headings = re.findall(r"<h2[^>]*>([^<]+)<", html)
    assert "As published" in headings and "What attention costs" in headings
    assert "26,044,722" in html and "(random start)" in html
    assert html.count("<svg") >= 1 and "<script" not in html
    assert not re.findall(r"""(?:src|href)=["']https?://""", html)
