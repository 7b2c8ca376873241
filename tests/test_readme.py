"""The README is true: its code prints what it says, its numbers are measured."""

import re
from pathlib import Path

from medattn.zoo import find_zoo_record

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MODELS = ("micro_resnet", "se_micro_resnet", "cbam_micro_resnet")


def test_the_ten_lines_print_what_their_comments_say(capsys):
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    assert len(code.strip().splitlines()) <= 10
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    promised = re.findall(r"^print.*  #\s(.+)$", code, re.MULTILINE)
    assert printed == promised


def test_the_table_is_that_of_the_records():
    rows = re.findall(r"^\| (\d+)% \| (.+) \|$", README, re.MULTILINE)
    assert [row[0] for row in rows] == ["1", "10", "50", "100"]
    for percent, cells in rows:
        records = [
            find_zoo_record(name, regime=int(percent) / 100)["measured"]
            for name in MODELS
        ]
        expected = [str(records[0]["train_images"])]
        expected += [f"{r['test']['auroc']:.3f}".lstrip("0") for r in records]
        expected += [f"{r['test']['relevance_mass']:.1%}" for r in records]
        assert cells.split(" | ") == expected
    best = find_zoo_record("micro_resnet")["measured"]["test"]
    assert f"random map scores {best['relevance_mass_random']:.1%}" in README
    assert f"edge detector {best['relevance_mass_edges']:.1%}" in README


def test_its_links_and_pictures_exist():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) >= 8
    for link in links:
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_ci_calls_the_readmes_test_command():
    commands = re.findall(r"```\n(pip install uv[^\n]*)\n```", README)
    assert commands == [
        "pip install uv && uv run medattn app",
        "pip install uv && uv run pytest",
    ]
    assert "uv && uv run pytest" in (ROOT / ".ci" / "run").read_text()
