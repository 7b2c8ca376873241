"""The fingerprint of the code that decides a trial."""

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[2]

# Files and folders of the package from which the weights and the predictions of a trial
# follow; after a colon, the only definition of a file that counts.
ALWAYS = (
    "layers/attention.py",
    "layers/cbam.py",
    "layers/self_attention.py",
    "layers/squeeze_excite.py",
    "layers/tensor.py",
    "models/__init__.py",
    "models/blocks.py",
    "models/deit.py",
    "models/densenet.py",
    "models/resnet.py",
    "study/execute/learning_rate.py",
    "study/execute/rounds.py",
    "study/execute/splits.py",
    "study/execute/start.py",
    "study/execute/train.py",
)
DATA = (
    "data/augment.py",
    "data/dataset.py",
    "data/load.py",
    "data/pipeline.py",
    "data/regimes.py",
)
SYNTHETIC = (
    "data/sources.py:ArraySource",
    "data/synthetic/common.py",
    "data/synthetic/dataset.py",
    "data/synthetic/paint.py",
    "data/synthetic/pixels.py",
)
REAL = (
    "data/cache.py",
    "data/dicom.py",
    "data/duplicates.py",
    "data/images.py",
    "data/readers",
    "data/sources.py",
    "data/splits.py",
)
SHAPES = (
    "data/pipeline.py",
    "study/execute/shapes.py",
    "study/plan/trial.py:pretraining",
)
IMAGENET = ("models/pretrained.py", "models/weights.py")
FILE = ("study/execute/weights_file.py",)
# What of a data set's card decides its images: how many there are, and their changes.
CARD = ("augmentation", "files", "sizes")
ROOM = "medattn.data.synthetic."


@cache
def code_fingerprint(dataset: str, initialisation: str = "random") -> str:
    """Hashes the code that decides a trial on a data set.

    Only what can change a result counts, see `bare_code`; of the synthetic data sets,
    only the one's own domain and those that it draws on.

    Args:
        dataset: Name of the data set, or `"shapes"`.
        initialisation: As in `Trial`.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part in deciding_files(dataset, initialisation):
        digest.update(f"{part}\n{_bare_part(part)}\n".encode())
    digest.update(json.dumps(_card_facts(dataset), sort_keys=True).encode())
    return digest.hexdigest()[:16]


@cache
def deciding_files(dataset: str, initialisation: str = "random") -> tuple[str, ...]:
    """Lists the code that decides a trial on a data set.

    Args:
        dataset: Name of the data set, or `"shapes"`.
        initialisation: As in `Trial`.

    Returns:
        Paths relative to the package, sorted; one that ends in `:Name` means that
        definition alone.
    """
    parts = set(ALWAYS)
    if dataset == "shapes" or initialisation == "shapes":
        parts |= set(SHAPES)
    if initialisation == "imagenet":
        parts |= set(IMAGENET)
    if initialisation == "file":
        parts |= set(FILE)
    if dataset != "shapes":
        domains = _domains(dataset) if is_synthetic(dataset) else []
        parts |= {*DATA, *(SYNTHETIC if domains else REAL), *domains}
    found: set[str] = set()
    for part in parts:
        folder = PACKAGE / part
        if folder.is_dir():
            files = (p.relative_to(PACKAGE).as_posix() for p in folder.rglob("*.py"))
            found |= set(files)
        else:
            found.add(part)
    return tuple(sorted(found))


def is_synthetic(dataset: str) -> bool:
    """Finds whether a data set is rendered by a domain of `medattn.data.synthetic`."""
    return (PACKAGE / "data" / "synthetic" / dataset / "__init__.py").exists()


def bare_code(source: str, *, only: str | None = None) -> str:
    """Writes code without what cannot change a result.

    Comments, docstrings, types, `__all__` and imports that nothing else uses go; so do
    the messages of errors, `assert`, and an `if` that only raises, for these turn a
    result into an error but not into another result.

    Args:
        source: Text of a Python file.
        only: Name of the only class or function to write.

    Returns:
        Python code in one fixed style.
    """
    tree = ast.parse(source)
    if only is not None:
        tree.body = [n for n in tree.body if getattr(n, "name", None) == only]
    tree = _Bare().visit(tree)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    tree = _UsedImports(used).visit(tree)
    return ast.unparse(tree)


class _Bare(ast.NodeTransformer):
    """Drops types, docstrings, guards, and what is there for the type checker."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [n for n in body if not _is_text(n) and not isinstance(n, ast.Pass)]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None or "TypeAlias" in ast.dump(node.annotation):
            return None
        assign = ast.copy_location(ast.Assign([node.target], node.value), node)
        return self.generic_visit(assign)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        names = [t.id for t in node.targets if isinstance(t, ast.Name)]
        return None if names == ["__all__"] else self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        return None

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return ast.Raise(error)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if "TYPE_CHECKING" in ast.dump(node.test):
            return None
        only_raises = all(isinstance(n, ast.Raise) for n in node.body)
        binds = any(isinstance(n, ast.NamedExpr) for n in ast.walk(node.test))
        if only_raises and not node.orelse and not binds:
            return None
        return self.generic_visit(node)


class _UsedImports(ast.NodeTransformer):
    """Drops imported names that the code does not use."""

    def __init__(self, used: set[str]) -> None:
        self.used = used

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return self._visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return self._visit(node)

    def _visit(self, node: Any) -> ast.AST | None:
        node.names = [
            alias
            for alias in node.names
            if (alias.asname or alias.name).partition(".")[0] in self.used
        ]
        return node if node.names else None


def _is_text(node: ast.AST) -> bool:
    """Finds docstrings, and strings that stand for themselves."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@cache
def _bare_part(part: str) -> str:
    path, _, only = part.partition(":")
    return bare_code((PACKAGE / path).read_text("utf-8"), only=only or None)


def _domains(dataset: str) -> list[str]:
    """Finds the folders of a synthetic domain and of those that it draws on."""
    found: list[str] = []
    waiting = [dataset]
    while waiting:
        name = waiting.pop()
        part = f"data/synthetic/{name}"
        if not is_synthetic(name) or part in found:
            continue
        found.append(part)
        for path in (PACKAGE / part).glob("*.py"):
            waiting += _drawn_on(ast.parse(path.read_text("utf-8")))
    return found


def _drawn_on(tree: ast.AST) -> Iterator[str]:
    """Names the domains that a file imports, or lists as `DRAWS_ON`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(ROOM):
            yield str(node.module).removeprefix(ROOM).partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and f"{node.module}." == ROOM:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Assign) and "DRAWS_ON" in ast.dump(node.targets[0]):
            yield from ast.literal_eval(node.value)


def _card_facts(dataset: str) -> dict[str, Any]:
    """Reads what of a data set's card decides a trial."""
    import yaml

    path = PACKAGE / "data" / "cards" / f"{dataset}.yaml"
    if not path.exists():
        return {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    facts = yaml.load(path.read_text("utf-8"), Loader=loader)
    return {key: facts[key] for key in CARD if key in facts}
