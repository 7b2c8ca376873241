"""Every public function and method says what it takes and what it returns."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [*ROOT.glob("medattn/**/*.py"), *ROOT.glob("apps/medattn_app/**/*.py")]
LONGEST = 80  # lines of a function


def functions(node, private=False):
    """Yields every function of a file, and whether it or its class is private."""
    for child in getattr(node, "body", []):
        hidden = private or (child_name(child).startswith("_") and not dunder(child))
        if isinstance(child, ast.ClassDef):
            yield from functions(child, hidden)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child, hidden


def child_name(node):
    return getattr(node, "name", "")


def dunder(node):
    return child_name(node).startswith("__") and child_name(node).endswith("__")


def untyped(source):
    """Lists the public functions of a file that lack an annotation."""
    found = []
    for function, hidden in functions(ast.parse(source)):
        if hidden:
            continue
        given = function.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        every += [one for one in (given.vararg, given.kwarg) if one]
        if every and every[0].arg in ("self", "cls"):
            every = every[1:]
        missing = [one.arg for one in every if one.annotation is None]
        if function.returns is None and function.name != "__init__":
            missing.append("return")
        if missing:
            found.append(f"{function.name}: {', '.join(missing)}")
    return found


@pytest.mark.parametrize("room", ["medattn", "apps/medattn_app"])
def test_every_public_function_has_types(room):
    files = [path for path in FILES if path.is_relative_to(ROOT / room)]
    found = {path.name: names for path in files if (names := untyped(path.read_text()))}
    assert len(files) > 50 and found == {}


def test_a_missing_type_is_seen():
    assert untyped("def f(x, *, y: int) -> int: ...") == ["f: x"]
    assert untyped("class A:\n    def g(self, x: int): ...") == ["g: return"]
    assert untyped("class _A:\n    def g(self, x): ...\ndef _f(x): ...") == []


def test_no_function_is_longer_than_eighty_lines():
    long = [
        f"{path.name}: {function.name}"
        for path in FILES
        for function, _ in functions(ast.parse(path.read_text()))
        if function.end_lineno - function.lineno >= LONGEST
    ]
    assert long == []


def test_medattn_and_its_app_say_that_they_have_types():
    assert (ROOT / "medattn" / "py.typed").exists()
    assert (ROOT / "apps" / "medattn_app" / "py.typed").exists()
