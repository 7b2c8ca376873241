"""The site builds without a warning, and its links into the app are understood."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

ROOT = Path(__file__).parents[2]
TEACHERS = (ROOT / "docs" / "teachers.md").read_text()
LINKS = re.findall(r"`\?([^`]+)`", TEACHERS)


@pytest.mark.parametrize("query", LINKS)
def test_the_app_understands_each_link_of_a_lesson(query):
    from medattn_app.state import Question, read_query

    question, refused = read_query(dict(parse_qsl(query)))
    assert refused == []
    for name, text in parse_qsl(query):
        value = getattr(question, name)
        asked = tuple(text.split(",")) if name == "hide" else type(value)(text)
        assert value == asked != ()
    assert question != Question()


def test_there_are_links_and_plans():
    assert len(LINKS) >= 6
    for heading in ("45 minutes", "90 minutes", "A semester", "Questionnaire"):
        assert f"\n## {heading}" in TEACHERS


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    mkdocs = Path(sys.executable).parent / "mkdocs"
    done = subprocess.run(
        [mkdocs, "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    reference = (tmp_path / "reference" / "layers.html").read_text()
    assert "SqueezeExcite" in reference and "Input shape" in reference
    tutorial = (tmp_path / "tutorials" / "07_lrp_deeplift.html").read_text()
    assert "<math" in tutorial and "$$" not in tutorial
    assert "<details>" in tutorial or "Built without outputs" in tutorial
    for page in tmp_path.rglob("*.html"):
        text = page.read_text()
        fetched = re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)', text
        )
        assert fetched == [], page.name  # nothing is loaded from elsewhere
