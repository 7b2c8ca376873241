"""The site builds without a warning, and its links into the app are valid."""

import importlib.util
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
def test_the_app_accepts_each_link_of_a_lesson_plan(query):
    from medattn_app.domain.state import Question, read_query

    question, refused = read_query(dict(parse_qsl(query)))
    assert refused == []
    for name, text in parse_qsl(query):
        value = getattr(question, name)
        expected = tuple(text.split(",")) if name == "hide" else type(value)(text)
        assert value == expected != ()
    assert question != Question()


def test_there_are_links_and_lesson_plans():
    assert len(LINKS) >= 6
    for heading in ("45 minutes", "90 minutes", "A semester", "Questionnaire"):
        assert f"\n## {heading}" in TEACHERS


def site_pages():
    spec = importlib.util.spec_from_file_location(
        "site_pages", ROOT / "docs" / "site_pages.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_path_of_the_reference_exists():
    import griffe

    package = griffe.load("medattn", search_paths=[ROOT], resolve_aliases=True)
    for page in (ROOT / "docs" / "reference").glob("*.md"):
        text = page.read_text()
        for path, options in re.findall(r"^::: (\S+)\n( {4}options: .*)?", text, re.M):
            members = re.findall(r"members: \[([^]]*)\]", options)
            names = members[0].split(", ") if members else [""]
            for name in names:
                found = package[f"{path}.{name}".strip(".").removeprefix("medattn.")]
                assert found.final_target if found.is_alias else found.docstring


def test_the_report_page_is_made_from_the_given_results(tmp_path):
    from medattn.study import read_results
    from medattn.study.analyse.results import write_results

    rows = [row for row in read_results() if row["dataset"] == "fundus"][:7]
    for row in rows:
        del row["study"]  # the name of the file replaces it
    write_results(rows, tmp_path / "renamed.csv")
    page = (ROOT / "docs" / "report.md").read_text()
    made = site_pages().with_report(page, source=tmp_path / "renamed.csv")
    seeds = sorted({row["seed"] for row in rows if row["state"] == "done"})
    assert f"- study `renamed`, seed{'s' * (len(seeds) > 1)} {seeds[0]}" in made
    assert "Ours: renamed" in made and "Ours: micro" not in made
    assert "<svg" in made and "<!-- the" not in made
    report = made[made.index('<div class="report">') :]
    assert "\n\n" not in report.strip()  # so Markdown does not change it
    assert page.count("<!-- the") == 2


def test_all_prints_of_a_cell_are_joined_to_one_output():
    def stream(text, name="stdout"):
        return {"output_type": "stream", "name": name, "text": text}

    image = {"output_type": "display_data", "data": {"image/png": ""}}
    outputs = [stream(["one\n"]), stream("two\n"), stream("!", "stderr"), image]
    outputs.append(stream("3"))
    joined = site_pages()._joined(outputs)
    assert joined[0]["text"] == "one\ntwo\n" and outputs[0]["text"] == ["one\n"]
    assert joined[1:] == outputs[2:]


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
    report = (tmp_path / "report.html").read_text()
    assert "As published" in report and "What attention costs" in report
    assert 'href="report.html"' in (tmp_path / "index.html").read_text()
    for page in tmp_path.rglob("*.html"):
        text = page.read_text()
        fetched = re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)', text
        )
        assert fetched == [], page.name  # nothing is loaded from elsewhere
