"""The notebooks are up to date, complete, and can be solved."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest

from medattn.teaching import CHECKS, NotYet, check, list_quizzes

ROOT = Path(__file__).parents[2]
TEXTS = [
    *sorted((ROOT / "tutorials" / "source").glob("*.py")),
    *sorted((ROOT / "medattn" / "teaching" / "quizzes").glob("*.yaml")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "tutorials").glob("*.md")),
]
LINK = re.compile(r"https?://[^\s<>\"'`\\]+")
DOI = re.compile(r"https://doi\.org/10\.\d{4,9}/\S+")
ARXIV = re.compile(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}")


def load_builder():
    spec = importlib.util.spec_from_file_location(
        "tutorials_build", ROOT / "tutorials" / "build.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load_builder()
NAMES = build.names()


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def checks_of(name):
    """Yields each exercise of a tutorial: solution, empty form, check, value."""
    cells = list(
        zip(build.solution(name).cells, build.exercise(name).cells, strict=True)
    )
    for (solved, empty), after in zip(cells, cells[1:], strict=False):
        if "solution" in solved.metadata.get("tags", []):
            found = re.match(r'check\("([\w.]+)", (\w+)\)', after[0].source)
            assert found, f"no check after a solution of {name}"
            yield solved.source, empty.source, found[1], found[2]


def test_notebooks_are_up_to_date():
    assert build.outdated() == []


def test_a_changed_notebook_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "TUTORIALS", tmp_path)
    monkeypatch.setattr(build, "SOLUTIONS", tmp_path / "solutions")
    (tmp_path / "solutions").mkdir()
    for path, text in build.notebook_files(NAMES[0]):
        path.write_text(text)
    monkeypatch.setattr(build, "names", lambda: NAMES[:1])
    assert build.outdated() == []
    path = tmp_path / f"{NAMES[0]}.ipynb"
    path.write_text(path.read_text().replace("predict", "guess"))
    (tmp_path / "99_left_over.ipynb").write_text("{}")
    assert build.outdated() == [path.name, "99_left_over.ipynb"]


@pytest.mark.parametrize("name", NAMES)
def test_each_tutorial_has_all_its_parts(name):
    notebook = build.solution(name)
    cells = notebook.cells
    prose = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    code = "\n".join(c.source for c in code_cells(notebook))
    title = cells[0].source.splitlines()[0]
    number = build.number(name).lstrip("0")  # "7", "2b"
    assert title.startswith(f"# {number}. ") and title.endswith("?")
    assert "Running time" in cells[1].source and "seconds" in cells[1].source
    assert cells[2].source == build.SETUP
    assert "**Predict first" in prose and "reveal(" in code
    assert "## Read more" in prose
    assert len(DOI.findall(prose)) + len(ARXIV.findall(prose)) >= 3
    assert f'quiz("{name}")' in code and name in list_quizzes()
    assert cells[-1].source.startswith("## The answer")
    assert len(list(checks_of(name))) == 2


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_have_no_output_and_no_absolute_path(name):
    for make in (build.exercise, build.solution):
        for cell in make(name).cells:
            assert not re.search(r"(/root|/home|/work|/tmp|C:\\)", cell.source)
            if cell.cell_type == "code":
                assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_fails_until_it_is_solved(name):
    for solution, empty, exercise, value in checks_of(name):
        assert build.PLACEHOLDER in empty and empty != solution
        before, after = {"np": np}, {"np": np}
        exec(empty, before)
        with pytest.raises(NotYet):
            check(exercise, before[value])
        exec(solution, after)
        check(exercise, after[value])


def test_every_check_belongs_to_a_tutorial():
    used = [exercise for name in NAMES for _, _, exercise, _ in checks_of(name)]
    assert sorted(used) == sorted(CHECKS)


def test_an_exercise_keeps_names_and_docstrings_but_no_solution():
    code = (
        "import math\n"
        "SECRET = 42\n"
        "\n\ndef successor(x):\n"
        '    """Returns the next number."""\n'
        "    return x + 1\n"
        "\n\nvalue = successor(SECRET)\n"
        "helper = 3\n"
    )
    empty = build.blank(code, "print(successor(1), value)")
    assert "import math" in empty and '"""Returns the next number."""' in empty
    assert "value = ...  # Write your code here" in empty
    assert "42" not in empty and "x + 1" not in empty and "helper" not in empty
    assert build.blank("print(1)", "") == "# Write your code here"


def wrong_links(text):
    """Lists links that are not well-formed."""
    wrong = []
    for link in LINK.findall(text):
        link = link.rstrip(".,;:*)")
        parts = urlparse(link)
        if parts.scheme != "https" or "." not in parts.netloc:
            wrong.append(link)
        if parts.netloc == "doi.org" and not DOI.fullmatch(link):
            wrong.append(link)
        if parts.netloc == "arxiv.org" and not ARXIV.fullmatch(link):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.name)
def test_links_are_well_formed_and_relative_ones_exist(path):
    text = path.read_text(encoding="utf-8")
    assert wrong_links(re.sub(r"https?://(localhost|127)\S*", "", text)) == []
    if path.suffix == ".md":
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if not target.startswith(("http", "mailto")):
                assert (path.parent / target).exists() or target in GENERATED, target


# Pages that the site generates from tutorials and cards; mkdocs --strict checks them.
GENERATED = {f"tutorials/{name}.md" for name in NAMES} | {
    f"cards/{path.name}" for path in (ROOT / "data_cards").glob("*.md")
}
GENERATED |= {"tutorials/index.md", "cards/index.md", "networks/index.md"}


def test_a_malformed_link_is_found():
    assert wrong_links("see http://plain.org and https://doi.org/1038/x")
    assert wrong_links("<https://arxiv.org/pdf/1706.03762>")
    assert not wrong_links("<https://arxiv.org/abs/1706.03762>.")


def test_there_are_no_spelling_mistakes():
    typos = Path(sys.executable).parent / "typos"
    done = subprocess.run(
        [typos, "--format", "brief", *TEXTS], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_a_spelling_mistake_is_found(tmp_path):
    typos = Path(sys.executable).parent / "typos"
    (tmp_path / "page.md").write_text("the relevence of the pixels recieved\n")
    done = subprocess.run([typos, tmp_path], capture_output=True, text=True)
    assert done.returncode and "received" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_solutions_run_from_top_to_bottom(name):
    notebook, seconds = build.execute(name, time_limit=900)
    build.save_executed(name, notebook)
    assert not any(
        output.output_type == "error"
        for cell in code_cells(notebook)
        for output in cell.outputs
    )
    passed = sum("✓" in str(cell.outputs) for cell in code_cells(notebook))
    assert passed == 2
    assert seconds < 600  # of processor time, on a slow machine


@pytest.mark.slow
def test_an_unsolved_notebook_stops_at_the_first_exercise():
    from nbclient.exceptions import CellExecutionError

    with pytest.raises(CellExecutionError, match="Nothing|returns nothing"):
        build.execute("07_lrp_deeplift", build.exercise("07_lrp_deeplift"))
