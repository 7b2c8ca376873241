"""What attention really does to medical image classifiers.

The public names load on first use, so that `import medattn` is quick and brings in no
backend that was not chosen.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

ROOMS = ("data", "explain", "figures", "layers", "models", "study", "teaching", "zoo")

PUBLIC = {
    "attach": "models",
    "create_analyzer": "explain",
    "create_model": "models",
    "list_analyzers": "explain",
    "list_datasets": "data",
    "list_layers": "layers",
    "list_models": "models",
    "load_dataset": "data",
    "load_zoo_model": "zoo",
    "run_study": "study",
    "Study": "study",
}

__all__ = [*PUBLIC, *ROOMS]


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(importlib.import_module(f"medattn.{PUBLIC[name]}"), name)
    if name in ROOMS:
        return importlib.import_module(f"medattn.{name}")
    raise AttributeError(f"module 'medattn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
