"""The fingerprint of the code that decides a trial."""

import ast
import hashlib
from functools import lru_cache
from pathlib import Path

# Files and folders of the package from which the weights and the predictions of a trial
# follow. Docstrings and comments in them do not count.
DECIDING = (
    "layers",
    "models",
    "data",
    "study/execute/rounds.py",
    "study/execute/shapes.py",
    "study/execute/splits.py",
    "study/execute/start.py",
    "study/execute/train.py",
    "study/plan/trial.py",
)


@lru_cache(maxsize=1)
def code_fingerprint() -> str:
    """Hashes the code that decides a trial, without its comments and docstrings."""
    package = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for part in DECIDING:
        path = package / part
        for source in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(source.relative_to(package).as_posix().encode())
            digest.update(bare_code(source.read_text()).encode())
    return digest.hexdigest()[:16]


def bare_code(source: str) -> str:
    """Writes the syntax tree of a file without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            del body[0]
    return ast.dump(tree)
