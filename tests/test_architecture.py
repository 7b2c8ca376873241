"""docs/architecture.md is true: its files exist and hold what it says they hold."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text()
PATHS = sorted(set(re.findall(r"\b(?:medattn|apps|tests)/[\w/]+\.(?:py|js)\b", TEXT)))
GUESSES = re.findall(r"^\| .*`(\w+)` \| `([\w/.]+)` \|$", TEXT, re.MULTILINE)
WAY = re.findall(r"^ +\d  (medattn/explain/\S+)", TEXT, re.MULTILINE)
LOOK_UPS = re.findall(r"`(medattn/explain/\S+\.py)`\s\(\w", TEXT)


@pytest.mark.parametrize("path", PATHS)
def test_every_file_that_it_names_exists(path):
    assert (ROOT / path).is_file()


def test_at_least_ten_things_are_found_in_one_guess():
    assert len(GUESSES) >= 10


@pytest.mark.parametrize(("name", "path"), GUESSES)
def test_a_named_thing_is_defined_where_the_table_says(name, path):
    defined = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            defined |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    assert name in defined


def test_the_way_of_x_passes_at_most_eight_files(trained, drawings):
    from medattn.explain import create_analyzer, run_eagerly

    explain = str(ROOT / "medattn" / "explain")
    passed = []

    def note(frame, event, _):
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(explain):
            path = Path(file).relative_to(ROOT).as_posix()
            if path not in passed:
                passed.append(path)

    with run_eagerly():
        analyzer = create_analyzer("lrp.epsilon", trained("se_micro_resnet"))
        sys.setprofile(note)
        try:
            analyzer.analyze(drawings["image"][:1])
        finally:
            sys.setprofile(None)
    assert len(WAY) <= 8 and passed[0] == WAY[0]
    assert set(WAY) <= set(passed)
    assert set(passed) - set(WAY) <= set(LOOK_UPS)
