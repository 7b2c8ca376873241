"""Makes the notebooks of the course from their sources: exercises and solutions.

    uv run python tutorials/build.py            write all notebooks
    uv run python tutorials/build.py --check    list outdated notebooks, and fail
    uv run python tutorials/build.py --run 07   execute solutions into build/tutorials

The solution has all cells of the source. In the exercise, a cell tagged `solution`
loses the bodies of its functions, and keeps the names that later cells need.
"""

import argparse
import ast
import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

TUTORIALS = Path(__file__).parent
SOURCE = TUTORIALS / "source"
SOLUTIONS = TUTORIALS / "solutions"
EXECUTED = TUTORIALS.parent / "build" / "tutorials"
SECONDS = TUTORIALS / "seconds.json"  # measured by --run

PLACEHOLDER = "# Write your code here"
SETUP = """\
# Colab does not have medattn. Until it is on PyPI, upload a wheel of it (made by
# `uv build --wheel`), and write its file name here. If medattn is installed, this cell
# does nothing but hide warnings.
import importlib.util
import logging
import os

PACKAGE = "medattn"
if importlib.util.find_spec("medattn") is None:
    %pip install -q $PACKAGE

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # hides TensorFlow's messages
errors_only = lambda record: record.levelno >= logging.ERROR
logging.getLogger("tensorflow").addFilter(errors_only)
%matplotlib inline"""
METADATA = {
    "kernelspec": {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}


def names() -> list[str]:
    """Returns the names of the tutorials, in the order of the course."""
    return sorted(path.stem for path in SOURCE.glob("[0-9][0-9]*_*.py"))


def number(name: str) -> str:
    """Returns the number of a tutorial, `"07"`, or `"02b"` for a second part."""
    return name.split("_")[0]


def solution(name: str) -> NotebookNode:
    """Makes the notebook of a source, with the solutions."""
    source = jupytext.read(SOURCE / f"{name}.py")
    cells = [_clean(cell) for cell in source.cells]
    cells[1:1] = [new_markdown_cell(_note(name)), new_code_cell(SETUP)]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"{number(name)}-{index:02d}"  # the same at every build
    return notebook


def exercise(name: str) -> NotebookNode:
    """Makes the notebook of a source, without the solutions."""
    notebook = solution(name)
    for index, cell in enumerate(notebook.cells):
        if "solution" in cell.metadata.get("tags", []):
            later = "\n".join(
                _plain(c.source)
                for c in notebook.cells[index + 1 :]
                if c.cell_type == "code"
            )
            cell.source = blank(cell.source, later)
    return notebook


def blank(code: str, later: str) -> str:
    """Removes the solution from a cell.

    Args:
        code: The solution's cell.
        later: The code of all later cells.

    Returns:
        The cell, with three dots in place of the body of each function, after its
        docstring, and of the value of each variable that later code uses.
    """
    needed = {n.id for n in ast.walk(ast.parse(later)) if isinstance(n, ast.Name)}
    lines, remaining = code.splitlines(), []
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef) and node.name in needed:
            body = node.body
            docstring = ast.get_docstring(node) is not None
            end = body[0].end_lineno if docstring else body[0].lineno - 1
            head = lines[node.lineno - 1 : end]
            remaining += ["", "", *head, f"    {PLACEHOLDER}", "    ..."]
        elif isinstance(node, ast.Assign):
            targets = [t.id for t in node.targets if isinstance(t, ast.Name)]
            remaining += [f"{t} = ...  {PLACEHOLDER}" for t in targets if t in needed]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            remaining += lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(remaining).strip() or PLACEHOLDER


def execute(
    name: str, notebook: NotebookNode | None = None, *, time_limit: int = 300
) -> tuple[NotebookNode, float]:
    """Runs a notebook from top to bottom.

    Args:
        name: Name of the tutorial.
        notebook: The notebook to run; the solution, unless given.
        time_limit: Limit of a cell in seconds.

    Returns:
        The executed notebook, and its processor time in seconds, which depends less on
        the load of the machine than the elapsed time.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    from nbclient import NotebookClient

    notebook = solution(name) if notebook is None else notebook
    start = _children_seconds()
    NotebookClient(notebook, timeout=time_limit, kernel_name="python3").execute()
    return notebook, _children_seconds() - start


def save_executed(name: str, notebook: NotebookNode) -> None:
    """Saves an executed notebook, so that the site shows its outputs."""
    EXECUTED.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, EXECUTED / f"{name}.ipynb")


def notebook_files(name: str) -> Iterator[tuple[Path, str]]:
    """Yields the path and the text of both notebooks of a source."""
    for folder, make in ((TUTORIALS, exercise), (SOLUTIONS, solution)):
        yield folder / f"{name}.ipynb", nbformat.writes(make(name)) + "\n"


def outdated() -> list[str]:
    """Lists notebooks that differ from their sources, and those without a source."""
    expected = {path: text for name in names() for path, text in notebook_files(name)}
    existing = {*TUTORIALS.glob("*.ipynb"), *SOLUTIONS.glob("*.ipynb")}
    wrong = existing - {*expected}
    for path, text in expected.items():
        if path not in existing or path.read_text() != text:
            wrong.add(path)
    return sorted(path.relative_to(TUTORIALS).as_posix() for path in wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--run", nargs="*", metavar="NN")
    options = parser.parse_args()
    if options.check:
        wrong = outdated()
        print("\n".join(wrong) or "all notebooks are up to date")
        sys.exit(bool(wrong))
    if options.run is not None:
        for name in names():
            if not options.run or number(name) in options.run:
                _run(name)
    for name in names():
        for path, text in notebook_files(name):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)


def _run(name: str) -> None:
    """Executes a solution, saves it for the site, and records its time."""
    notebook, seconds = execute(name)
    save_executed(name, notebook)
    measured = _seconds()
    # Rounded up to tens, so that a small difference does not change the notebook.
    measured[name] = int(-(-seconds // 10) * 10)
    SECONDS.write_text(json.dumps(dict(sorted(measured.items())), indent=2) + "\n")
    print(f"{name}: {seconds:.0f} s")


def _note(name: str) -> str:
    """Writes the cell below the title: running time, tools, licence."""
    seconds = _seconds().get(name)
    time_line = (
        f"**Running time**: all cells take {seconds} seconds of processor time, "
        "without a GPU. With the exercises, plan 45 minutes."
        if seconds
        else "**Running time**: not measured yet."
    )
    return (
        f"{time_line}\n\n"
        "For Jupyter and Colab. Two exercises check themselves; their solutions are "
        f"in `solutions/{name}.ipynb`. The networks were trained on drawings only: "
        "nothing here is for diagnosis.\n\n"
        "Text: [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). Code: "
        "[Apache-2.0](https://www.apache.org/licenses/LICENSE-2.0)."
    )


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _seconds() -> dict[str, int]:
    return json.loads(SECONDS.read_text()) if SECONDS.exists() else {}


def _clean(cell: NotebookNode) -> NotebookNode:
    """Returns a cell with its text and its tags alone."""
    tags = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
    make = new_markdown_cell if cell.cell_type == "markdown" else new_code_cell
    return make(cell.source, metadata=tags)


def _plain(code: str) -> str:
    """Replaces the lines that only a notebook understands."""
    return "\n".join(
        "pass" if line.lstrip().startswith("%") else line for line in code.splitlines()
    )


if __name__ == "__main__":
    main()
