"""The page's JavaScript modules: short, named, acyclic, and one script a component."""

import re
import shutil
import subprocess

import pytest

from medattn_app.tabs.common.scripts import (
    APP,
    IMPORT,
    compose_script,
    exported_names,
    imported_names,
)

FILES = sorted(APP.rglob("*.js"))
STARTS = [
    APP / name
    for name in (
        "server/header.js",
        "tabs/common/strip.js",
        "tabs/doubt/deletion.js",
        "tabs/explore/explore.js",
        "tabs/predict/predict.js",
    )
]
FUNCTION = re.compile(r"^(?:export )?(?:async )?function (\w+)", re.MULTILINE)
LONGEST = 99  # characters of a line
TALLEST = 250  # lines of a file
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no node found")
by_name = {"ids": lambda path: str(path.relative_to(APP))}


def source_of(path):
    return path.read_text("utf-8")


@pytest.mark.parametrize("path", FILES, **by_name)
def test_a_file_says_its_one_responsibility_and_is_short(path):
    lines = source_of(path).splitlines()
    assert re.match(r"// [A-Z].+[.:,\w]$", lines[0])
    assert max(map(len, lines)) <= LONGEST and len(lines) <= TALLEST


@pytest.mark.parametrize("path", FILES, **by_name)
def test_only_functions_and_constants_stand_on_the_top_level(path):
    allowed = re.compile(
        r'(//|import \{|\} from "|export (async )?function |export const |function '
        r"|async function |const |element\.|watch\(|\w+\(\);$|[\])}]|$)"
    )
    top = [line for line in source_of(path).splitlines() if not line.startswith(" ")]
    assert [line for line in top if not allowed.match(line)] == []


@pytest.mark.parametrize("path", FILES, **by_name)
def test_every_imported_name_is_used(path):
    source = source_of(path)
    body = IMPORT.sub("", source)
    for names in imported_names(source).values():
        for name in names:
            assert re.search(rf"\b{name}\b", body), name


def test_no_two_functions_of_a_script_have_the_same_name():
    for start in STARTS:
        names = FUNCTION.findall(compose_script(start).replace("  ", ""))
        assert len(names) > 0 or start.name == "strip.js"
        assert sorted(set(names)) == sorted(names), start.name


def test_every_file_is_part_of_a_script_and_every_export_is_imported():
    scripts = "\n".join(map(compose_script, STARTS))
    imported = {}
    for path in FILES:
        assert f'modules["{path.relative_to(APP)}"] = ' in scripts
        for file, names in imported_names(source_of(path)).items():
            imported.setdefault((path.parent / file).resolve(), set()).update(names)
    for path in FILES:
        assert set(exported_names(source_of(path))) == imported.get(path, set())


def test_files_are_composed_each_once_after_what_they_import(tmp_path, monkeypatch):
    (tmp_path / "a.js").write_text("// A.\nexport const A = 1;\n")
    (tmp_path / "b.js").write_text(
        '// B.\nimport { A } from "./a.js";\nexport function b() {\n  return A;\n}\n'
    )
    (tmp_path / "c.js").write_text(
        '// C.\nimport {\n  A,\n} from "./a.js";\nimport { b } from "./b.js";\nb(A);\n'
    )
    monkeypatch.setattr("medattn_app.tabs.common.scripts.APP", tmp_path)
    script = compose_script(tmp_path / "c.js")
    order = re.findall(r'^modules\["(\w\.js)"\]', script, re.MULTILINE)
    assert order == ["a.js", "b.js", "c.js"]
    assert "import" not in script and "export" not in script


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("// B.\nexport const B = 1;\n", "does not export this"),
        ('// B.\nimport { A } from "./a.js";\nexport const C = A;\n', "in a circle"),
    ],
)
def test_an_unknown_name_and_a_circle_are_refused(
    tmp_path, monkeypatch, other, message
):
    (tmp_path / "a.js").write_text(
        '// A.\nimport { C } from "./b.js";\nexport const A = C;\n'
    )
    (tmp_path / "b.js").write_text(other)
    monkeypatch.setattr("medattn_app.tabs.common.scripts.APP", tmp_path)
    with pytest.raises(ValueError, match=message):
        compose_script(tmp_path / "a.js")


@needs_node
@pytest.mark.parametrize("path", FILES, **by_name)
def test_node_parses_every_module(path):
    check = [NODE, "--check", "--input-type=module"]
    read = subprocess.run(check, input=source_of(path), text=True, capture_output=True)
    assert read.returncode == 0, read.stderr


@needs_node
@pytest.mark.parametrize("start", STARTS, **by_name)
def test_node_parses_every_script_as_the_function_that_gradio_makes(start):
    names = ["element", "trigger", "props", "server", "upload", "watch"]
    make = f"Function({names}, require('fs').readFileSync(0, 'utf8'))"
    made = subprocess.run(
        [NODE, "-e", make.replace("[", "...[")],
        input=compose_script(start),
        text=True,
        capture_output=True,
    )
    assert made.returncode == 0, made.stderr
