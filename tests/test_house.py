"""The law of imports, held against the code.

apps   tutorials   cli   compat       see everything public; nobody imports them
     |       teaching
study     zoo                         study knows epochs and seeds
     +--------+--+--------+
   data     models    explain   figures    never import each other
              |         |
              +-- layers                   imports keras only
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "layers": set(),
    "models": {"layers"},
    "explain": {"layers"},
    "data": set(),
    "figures": set(),
    "study": {"data", "models", "explain", "layers", "figures"},
    "zoo": {"models"},
    "teaching": {"data", "models", "explain", "figures", "layers", "study", "zoo"},
    "cli": {"data", "explain", "figures", "layers", "models", "study", "zoo"},
    "__main__": {"cli"},
}
SOURCES = {
    ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__"): (
        path
    )
    for base in (ROOT, ROOT / "apps")
    for path in sorted(base.glob("medattn*/**/*.py"))
}
FILES = [path for name, path in SOURCES.items() if name.split(".")[0] == "medattn"]


def imports(source):
    """Yields the dotted names that a file's text imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(here, source):
    """Lists the imports by which a room breaks the law."""
    found = []
    for name in imports(source):
        parts = name.split(".")
        if parts[0] == "medattn" and len(parts) > 1:
            if parts[1] != here and parts[1] not in ALLOWED[here]:
                found.append(name)
        elif parts[0] == "medattn_app" and here != "cli":
            found.append(name)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_only_what_the_drawing_allows(path):
    here = path.relative_to(ROOT / "medattn").parts[0].removesuffix(".py")
    if here != "__init__":  # the lazy face names every room and imports none
        assert violations(here, path.read_text()) == []


@pytest.mark.parametrize(
    ("here", "line"),
    [
        ("explain", "from medattn.study import Trial"),
        ("data", "import medattn.models.resnet"),
        ("models", "def f():\n    from medattn.explain import lrp"),
        ("study", "from medattn_app import launch"),
    ],
)
def test_a_forbidden_import_is_seen(here, line):
    assert len(violations(here, line)) == 1


def test_layers_import_keras_and_nothing_else():
    for path in (ROOT / "medattn" / "layers").glob("*.py"):
        for name in imports(path.read_text()):
            room = name.split(".")[0]
            assert room in ("keras", "medattn", "typing"), f"{path} imports {name}"


def test_the_app_sees_public_names_only():
    for path in (ROOT / "apps").rglob("*.py"):
        for name in imports(path.read_text()):
            parts = name.split(".")
            if parts[0] != "medattn":
                assert parts[0] not in ("keras", "tensorflow"), f"{path} imports {name}"
                continue
            assert len(parts) <= 3, f"{path} reaches into {name}"


def test_importing_medattn_brings_in_no_backend_and_no_gradio():
    code = (
        "import sys, medattn, medattn.data, medattn.figures, medattn.cli\n"
        "heavy = {'keras', 'tensorflow', 'gradio', 'matplotlib', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"


def test_public_names_resolve():
    import medattn

    for name in medattn.__all__:
        assert getattr(medattn, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        medattn.nonsense  # noqa: B018
