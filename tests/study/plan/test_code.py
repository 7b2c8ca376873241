"""The fingerprint of the code: what counts, and what cannot change a result."""

import ast
from pathlib import Path

import pytest

import medattn
from medattn import layers
from medattn.data import list_datasets
from medattn.data.synthetic import DOMAINS
from medattn.study.plan import code
from medattn.study.plan.code import (
    bare_code,
    code_fingerprint,
    deciding_files,
    is_synthetic,
)

PACKAGE = Path(medattn.__file__).parent
BEFORE = '''
"""Doubles numbers."""
import os
import numpy as np
N = 2

def double(x, names=()):
    """Doubles."""
    if x is None:
        raise ValueError("There is no number.")
    total = np.sum(x)  # of all
    return N * total
'''
AFTER = '''
"""Doubles one number."""
from __future__ import annotations
from typing import TYPE_CHECKING, TypeAlias
import numpy as np
if TYPE_CHECKING:
    from pathlib import Path
__all__ = ["double"]
Number: TypeAlias = float | int
N: int = 2


def double(x: Number | None, names: tuple[Path, ...] = ()) -> Number:
    """Doubles a number.

    Args:
        x: The number.
    """
    total: Number
    if x is None or np.isnan(x):
        raise ValueError(f"Expected a number. Received: {x}")
    total = np.sum(x)
    assert total is not None
    return N * total
'''


def test_types_comments_messages_and_guards_do_not_count():
    assert bare_code(BEFORE) == bare_code(AFTER)
    assert bare_code(BEFORE) == (
        "import numpy as np\nN = 2\n\ndef double(x, names=()):\n"
        "    total = np.sum(x)\n    return N * total"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("N = 2", "N = 3"),
        ("np.sum", "np.max"),
        ("names=()", "names=(1,)"),
        ("import numpy as np", "import jax.numpy as np"),
        ("raise ValueError", "x = 0 #"),
    ],
)
def test_what_can_change_a_result_counts(old, new):
    assert old in BEFORE
    assert bare_code(BEFORE) != bare_code(BEFORE.replace(old, new))


def test_a_guard_that_binds_a_name_or_has_an_alternative_stays():
    with_else = "if x:\n    raise ValueError\nelse:\n    y = 1"
    assert bare_code(with_else) != bare_code(with_else.replace("1", "2"))
    binding = "if (n := f(x)) < 3:\n    raise ValueError\ny = n"
    assert bare_code(binding) != bare_code(binding.replace("f(x)", "g(x)"))


def test_one_definition_of_a_file_can_count_alone():
    source = "def f():\n    return 1\n\ndef g():\n    return 2\n"
    assert bare_code(source, only="g") == "def g():\n    return 2"


@pytest.mark.parametrize("dataset", [*list_datasets(), "shapes"])
@pytest.mark.parametrize("initialisation", ["random", "shapes", "imagenet"])
def test_every_part_that_decides_a_trial_exists(dataset, initialisation):
    for part in deciding_files(dataset, initialisation):
        path, _, only = part.partition(":")
        assert (PACKAGE / path).is_file()
        names = [
            getattr(n, "name", "") for n in ast.parse((PACKAGE / path).read_text()).body
        ]
        assert not only or only in names


def test_a_synthetic_set_depends_on_its_own_domain_and_on_no_reader():
    fundus, chest = deciding_files("fundus"), deciding_files("chest")
    assert "data/synthetic/fundus/rendering.py" in fundus
    assert not any("chest" in part or "readers" in part for part in fundus)
    assert code_fingerprint("fundus") != code_fingerprint("chest")
    shared = [part for part in fundus if "/fundus/" not in part]
    assert shared == [part for part in chest if "/chest/" not in part]
    assert {name for name in list_datasets() if is_synthetic(name)} == set(DOMAINS)


def test_a_real_set_depends_on_the_readers_and_the_shapes_on_no_data():
    real = deciding_files("aptos2019")
    assert {"data/readers/aptos2019.py", "data/splits.py", "data/images.py"} <= set(
        real
    )
    assert not any("synthetic" in part for part in real)
    shapes = deciding_files("shapes")
    assert [p for p in shapes if p.startswith("data")] == ["data/pipeline.py"]
    assert set(deciding_files("fundus", "shapes")) > {"study/execute/shapes.py"}
    assert "models/pretrained.py" in deciding_files("fundus", "imagenet")
    assert "models/pretrained.py" not in deciding_files("fundus")


def test_every_file_that_builds_a_network_counts():
    waiting, found = ["models.resnet", "models.densenet", "models.deit"], set()
    while waiting:
        name = waiting.pop()
        path = PACKAGE / f"{name.replace('.', '/')}.py"
        found.add(path.relative_to(PACKAGE).as_posix())
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or "medattn" not in node.module:
                continue
            modules = [node.module]
            if node.module == "medattn.layers":  # which hands out its files' classes
                modules = [getattr(layers, a.name).__module__ for a in node.names]
            waiting += [
                m.removeprefix("medattn.")
                for m in modules
                if f"{m.removeprefix('medattn.').replace('.', '/')}.py" not in found
            ]
    assert found <= set(code.ALWAYS)
    assert {"layers/cbam.py", "layers/self_attention.py"} < found


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with two domains, one of which may draw on the other."""
    for name in ("fundus", "fundus_context"):
        folder = tmp_path / "data" / "synthetic" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
    for part in (*code.ALWAYS, *code.DATA, *code.SYNTHETIC):
        path = tmp_path / part.partition(":")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix:
            path.write_text("class ArraySource:\n    pass\n")
        else:
            path.mkdir(exist_ok=True)
    monkeypatch.setattr(code, "PACKAGE", tmp_path)
    caches = (code.code_fingerprint, code.deciding_files, code._bare_part)
    for one in caches:
        one.cache_clear()
    yield tmp_path
    for one in caches:
        one.cache_clear()


@pytest.mark.parametrize(
    "text",
    [
        'DRAWS_ON = ("fundus",)',
        "from medattn.data.synthetic.fundus.sampling import STEPS",
        "from medattn.data.synthetic import fundus",
    ],
)
def test_a_domain_depends_on_those_that_it_draws_on(package, text):
    assert not any("/fundus/" in p for p in deciding_files("fundus_context"))
    code.deciding_files.cache_clear()
    domain = package / "data" / "synthetic" / "fundus_context" / "__init__.py"
    domain.write_text(text)
    assert "data/synthetic/fundus/__init__.py" in deciding_files("fundus_context")
    assert not any("context" in p for p in deciding_files("fundus"))


def test_the_card_counts_as_far_as_it_decides_images(package):
    def fingerprint(text):
        cards = package / "data" / "cards"
        cards.mkdir(exist_ok=True)
        (cards / "fundus.yaml").write_text(text)
        code.code_fingerprint.cache_clear()
        return code_fingerprint("fundus")

    plain = fingerprint("title: Eyes\nsizes: {train: 4}\n")
    assert fingerprint("title: Retinas\nsizes: {train: 4}\n") == plain
    assert fingerprint("title: Eyes\nsizes: {train: 5}\n") != plain
    flipped = "title: Eyes\nsizes: {train: 4}\naugmentation: {flip_vertical: true}\n"
    assert fingerprint(flipped) != plain
