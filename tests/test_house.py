"""The law of imports, held against the code.

   apps   tutorials   cli   compat       see everything public; nobody imports them
        |       teaching
   study     zoo                         study knows epochs and seeds
        +--------+--+--------+
      data     models    explain   figures    never import each other
                 |         |
                 +-- layers                   imports keras only

A room with floors lists them from the lowest up: a floor imports its own files and the
floors below it.
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
# Floors of a room, the lowest first; those of one line do not import each other.
FLOORS = {
    "medattn.explain": [
        ["precision"],
        ["backend"],
        ["graph"],
        ["analyzer", "spatial"],
        ["unopened", "audit"],
        ["lrp", "gradient", "attention", "innvestigate"],
        ["deeplift"],
        ["api"],
        ["metrics"],
    ],
    "medattn.study": [["files"], ["plan"], ["analyse"], ["execute", "report"]],
    "medattn_app": [
        ["gradio_private"],
        ["domain"],
        ["service"],
        ["tabs"],
        ["server"],
    ],
    "medattn_app.tabs": [
        ["common"],
        ["explore", "inside", "predict", "doubt", "evidence", "lesson", "uploaded"],
    ],
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


def modules(source):
    """Yields the modules of ours that a file's text imports."""
    for name in imports(source):
        while name and name not in SOURCES:
            name = name.rpartition(".")[0]
        if name:
            yield name


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


def climbs(room, importer, imported):
    """Whether an import within a room goes up, or across to a neighbour."""
    start = len(room) + 1
    here, there = importer[start:].split(".")[0], imported[start:].split(".")[0]
    level = {name: n for n, floor in enumerate(FLOORS[room]) for name in floor}
    return here != there and level[here] <= level[there]


def circles(edges):
    """Finds modules that import each other, directly or by way of others.

    Args:
        edges: A dict from each module to the set of those that it imports.

    Returns:
        A list of such sets of two or more, or of one that imports itself.
    """
    reached = {}
    for module in edges:
        seen, ahead = set(), [module]
        while ahead:
            for name in edges[ahead.pop()] - seen:
                seen.add(name)
                ahead.append(name)
        reached[module] = seen
    found = {
        frozenset(other for other in seen if module in reached[other])
        for module, seen in reached.items()
        if module in seen
    }
    return sorted(sorted(circle) for circle in found)


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


def test_every_room_is_drawn():
    rooms = {name.split(".")[1] for name in SOURCES if name.startswith("medattn.")}
    assert rooms == set(ALLOWED)
    for room, floors in FLOORS.items():
        inside = {
            n[len(room) + 1 :].split(".")[0]
            for n in SOURCES
            if n.startswith(f"{room}.")
        }
        drawn = [name for floor in floors for name in floor]
        assert sorted(drawn) == sorted(inside)


@pytest.mark.parametrize("room", FLOORS)
def test_floors_import_only_what_lies_below(room):
    broken = [
        f"{name} imports {other}"
        for name, path in SOURCES.items()
        for other in modules(path.read_text())
        if name.startswith(f"{room}.") and other.startswith(f"{room}.")
        if climbs(room, name, other)
    ]
    assert broken == []


def test_an_import_that_climbs_is_seen():
    assert climbs("medattn.study", "medattn.study.plan.trial", "medattn.study.execute")
    assert climbs("medattn.explain", "medattn.explain.lrp", "medattn.explain.attention")
    assert not climbs(
        "medattn.study", "medattn.study.report.page", "medattn.study.plan"
    )


def test_no_module_imports_itself_by_way_of_others():
    edges = {
        name: {other for other in modules(path.read_text()) if other != name}
        for name, path in SOURCES.items()
    }
    assert circles(edges) == []


def test_a_circle_of_imports_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


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
