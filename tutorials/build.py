"""Makes the notebooks of the course from their sources: exercise and solution.

    uv run python tutorials/build.py            write all notebooks
    uv run python tutorials/build.py --check    say which are out of step, and fail
    uv run python tutorials/build.py --run 07   execute solutions into build/tutorials

The solution is the source; the exercise is what remains of it. A cell tagged
`solution` loses its body, and keeps the names that later cells need.
"""

import argparse
import ast
import json
import resource
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

ROOM = Path(__file__).parent
SOURCE = ROOM / "source"
SOLUTIONS = ROOM / "solutions"
EXECUTED = ROOM.parent / "build" / "tutorials"
SECONDS = ROOM / "seconds.json"  # what --run measured

HERE = "# Write your code here"
SETUP = """\
# Colab lacks medattn. Until it is on PyPI, put a wheel of it (`uv build --wheel`) into
# Colab's files, and its file name here. Where it is installed, nothing happens.
import importlib.util
import logging
import os

PACKAGE = "medattn"
if importlib.util.find_spec("medattn") is None:
    %pip install -q $PACKAGE

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # TensorFlow's greetings are not ours
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


def names():
    """Returns the names of the tutorials, in the order of the course."""
    return sorted(path.stem for path in SOURCE.glob("[0-9][0-9]*_*.py"))


def number(name):
    """Returns the number of a tutorial, `"07"`, or `"02b"` for a second part."""
    return name.split("_")[0]


def solution(name):
    """Makes the notebook of a source, solutions in it."""
    source = jupytext.read(SOURCE / f"{name}.py")
    cells = [_clean(cell) for cell in source.cells]
    cells[1:1] = [new_markdown_cell(_note(name)), new_code_cell(SETUP)]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    for place, cell in enumerate(notebook.cells):
        cell["id"] = f"{number(name)}-{place:02d}"  # the same at every run
    return notebook


def exercise(name):
    """Makes the notebook of a source, solutions taken out."""
    notebook = solution(name)
    for place, cell in enumerate(notebook.cells):
        if "solution" in cell.metadata.get("tags", []):
            later = "\n".join(
                _plain(c.source)
                for c in notebook.cells[place + 1 :]
                if c.cell_type == "code"
            )
            cell.source = blank(cell.source, later)
    return notebook


def blank(code, later):
    """Takes the body out of a solution.

    Args:
        code: The solution's cell.
        later: The code of all later cells.

    Returns:
        The cell with functions emptied but for their docstrings, and with three dots
        for the other names that later code reads.
    """
    needed = {n.id for n in ast.walk(ast.parse(later)) if isinstance(n, ast.Name)}
    lines, kept = code.splitlines(), []
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef) and node.name in needed:
            body = node.body
            docstring = ast.get_docstring(node) is not None
            end = body[0].end_lineno if docstring else body[0].lineno - 1
            kept += ["", "", *lines[node.lineno - 1 : end], f"    {HERE}", "    ..."]
        elif isinstance(node, ast.Assign):
            targets = [t.id for t in node.targets if isinstance(t, ast.Name)]
            kept += [f"{t} = ...  {HERE}" for t in targets if t in needed]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            kept += lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(kept).strip() or HERE


def execute(name, notebook=None, *, time_limit=300):
    """Runs a notebook from top to bottom.

    Args:
        name: Of the tutorial.
        notebook: What to run; the solution, unless given.
        time_limit: Seconds that a cell may take.

    Returns:
        The executed notebook, and the seconds of processor time that it took: on a
        busy machine the clock on the wall says little.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    from nbclient import NotebookClient

    notebook = solution(name) if notebook is None else notebook
    start = _children_seconds()
    NotebookClient(notebook, timeout=time_limit, kernel_name="python3").execute()
    return notebook, _children_seconds() - start


def keep(name, notebook):
    """Keeps an executed notebook, so that the site shows its outputs."""
    EXECUTED.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, EXECUTED / f"{name}.ipynb")


def texts(name):
    """Yields each file that a source makes, and its text."""
    for folder, make in ((ROOM, exercise), (SOLUTIONS, solution)):
        yield folder / f"{name}.ipynb", nbformat.writes(make(name)) + "\n"


def out_of_step():
    """Lists notebooks that are not what their sources say, and those without one."""
    made = {path: text for name in names() for path, text in texts(name)}
    there = {*ROOM.glob("*.ipynb"), *SOLUTIONS.glob("*.ipynb")}
    wrong = [p for p, t in made.items() if p not in there or p.read_text() != t]
    return sorted(p.relative_to(ROOM).as_posix() for p in {*wrong, *(there - {*made})})


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--check", action="store_true")
    words.add_argument("--run", nargs="*", metavar="NN")
    asked = words.parse_args()
    if asked.check:
        wrong = out_of_step()
        print("\n".join(wrong) or "all notebooks are in step")
        sys.exit(bool(wrong))
    if asked.run is not None:
        wanted = [n for n in names() if not asked.run or number(n) in asked.run]
        for name in wanted:
            _run(name)
    for name in names():
        for path, text in texts(name):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)


def _run(name):
    """Executes a solution, keeps it for the site, and notes the time it took."""
    notebook, seconds = execute(name)
    keep(name, notebook)
    known = _seconds()
    # In steps of ten, so that a warmer cache does not rewrite the notebook.
    known[name] = int(-(-seconds // 10) * 10)
    SECONDS.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n")
    print(f"{name}: {seconds:.0f} s")


def _note(name):
    """Writes the cell below the title: time, tools, licence."""
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
        f"in `solutions/{name}.ipynb`. The networks have only ever seen drawings: "
        "nothing here is for diagnosis.\n\n"
        "Text: [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). Code: "
        "[Apache-2.0](https://www.apache.org/licenses/LICENSE-2.0)."
    )


def _children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _seconds():
    return json.loads(SECONDS.read_text()) if SECONDS.exists() else {}


def _clean(cell):
    """Keeps of a cell what belongs into the file: its text and its tags."""
    tags = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
    make = new_markdown_cell if cell.cell_type == "markdown" else new_code_cell
    return make(cell.source, metadata=tags)


def _plain(code):
    """Drops the lines that only a notebook understands."""
    return "\n".join(
        "pass" if line.lstrip().startswith("%") else line for line in code.splitlines()
    )


if __name__ == "__main__":
    main()
