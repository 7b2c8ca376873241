"""The names of networks, data sets and analyzers, found without importing Keras."""

import ast
from functools import cache
from typing import Literal, TypeAlias

from medattn.study.plan.code import PACKAGE
from medattn.study.plan.trial import SHAPES

Kind: TypeAlias = Literal["model", "data set", "analyzer"]

# Where the dicts are written that are looked up by name, and how they are called.
TABLES: dict[Kind, tuple[str, str]] = {
    "model": ("models/__init__.py", "MODELS"),
    "analyzer": ("explain/**/*.py", "_ANALYZERS"),
}


@cache
def names_in_source(kind: Kind) -> frozenset[str]:
    """Reads names from the source, in milliseconds.

    Args:
        kind: `"model"`, `"data set"` or `"analyzer"`.

    Returns:
        The names that the source spells out; there may be others.
    """
    if kind == "data set":
        cards = (PACKAGE / "data" / "cards").glob("*.yaml")
        return frozenset({SHAPES, *(path.stem for path in cards)})
    pattern, table = TABLES[kind]
    found: set[str] = set()
    for path in PACKAGE.glob(pattern):
        text = path.read_text("utf-8")
        if table in text:
            found |= _keys(ast.parse(text), table)
    return frozenset(found)


def list_names(kind: Kind) -> list[str]:
    """Lists all names; this imports their room, for networks and analyzers Keras too.

    Args:
        kind: As in `names_in_source`.
    """
    if kind == "model":
        from medattn.models import list_models

        return list_models()
    if kind == "analyzer":
        from medattn.explain import list_analyzers

        return list_analyzers()
    from medattn.data import list_datasets

    return [*list_datasets(), SHAPES]


def _keys(tree: ast.Module, table: str) -> set[str]:
    """Reads the keys of the dicts whose names end so."""
    keys: set[str] = set()
    for node in tree.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.value, ast.Dict):
            continue
        if isinstance(node.target, ast.Name) and node.target.id.endswith(table):
            written = (key for key in node.value.keys if isinstance(key, ast.Constant))
            keys |= {key.value for key in written if isinstance(key.value, str)}
    return keys
